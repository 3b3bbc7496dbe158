"""What no reader may see, and what no terminal may print."""

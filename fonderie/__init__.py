"""What every package of the repository stands on: its errors, and files that are whole or absent."""

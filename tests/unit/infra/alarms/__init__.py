"""Log entries and time series as Google writes them, through filters and policies to the alarm."""

"""The imitated cloud: one file, its buckets, and ways to look at it and to change it."""

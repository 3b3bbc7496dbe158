"""The `fonderie` command line: one file a command."""

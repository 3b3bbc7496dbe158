"""What everything stands on: errors with exit codes, files written whole, TOML, the home folder, the resource types."""

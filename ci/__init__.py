"""The `fonderie` command line, pull-request previews and what continuous integration runs."""

"""Google's REST APIs for the tests: an HTTP server whose requests are checked against Google's discovery documents."""

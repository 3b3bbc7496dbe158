"""A `Preview` as a comment and as a page."""

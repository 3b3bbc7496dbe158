"""A `Preview` from two revisions."""

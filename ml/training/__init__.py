"""A challenger from rows, and the artefact that is kept of it."""

"""A challenger earns its traffic."""

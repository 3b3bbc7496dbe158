"""A model's TOML file, section by section."""

"""An environment from bootstrap to recreate."""

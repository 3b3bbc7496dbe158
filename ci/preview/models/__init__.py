"""What changes about models and pipelines, in words."""

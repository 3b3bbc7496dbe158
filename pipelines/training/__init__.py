"""The training pipeline: definition, components, steps, and its runs."""

"""The batch pipeline: definition, steps, and its run."""

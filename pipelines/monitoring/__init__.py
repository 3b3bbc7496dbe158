"""The monitoring pipeline: definition, components, steps, and one turn of the loop."""

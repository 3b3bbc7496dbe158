"""Recreate an environment: plan what will be lost, destroy it in order, deploy it again, end with an empty plan."""

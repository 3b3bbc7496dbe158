"""Runs of pipelines in an environment: submitted, followed, told."""

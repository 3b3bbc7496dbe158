"""Terraform, or OpenTofu: its command line, and what its plans say."""

"""What changes in the infrastructure, in words."""

"""The Terraform command line and its plans, as typed values."""

"""What Google does when Terraform creates, reads, updates, deletes and imports."""

"""The sandbox: an offline stand-in for Google. A Terraform provider driven by the real provider's schema and facts."""

"""The preview of a change: Terraform's plans, policy, cost and model changes as one comment a reviewer can trust."""

"""Terraform's plugin protocol, version 6: the server, its messages, values on the wire."""

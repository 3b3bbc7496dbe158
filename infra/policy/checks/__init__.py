"""Our own checks, one subject a file; `infra/policy/own_checks.py` puts them together."""

"""Hyper-parameters side by side."""

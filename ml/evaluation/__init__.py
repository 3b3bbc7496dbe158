"""Scores on held-out rows, their intervals, and the gate."""

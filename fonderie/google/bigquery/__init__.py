"""Months in BigQuery: the same contracts and the same features, computed where the data is."""

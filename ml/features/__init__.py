"""Features: the catalogue, their definitions, lookups, queries and tables."""

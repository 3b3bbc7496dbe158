"""The provider: its cut schema, the facts known of its behaviour, and how the schema is cut."""

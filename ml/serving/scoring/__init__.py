"""A version compiled for answers: schema, encoder, engines."""

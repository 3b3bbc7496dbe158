"""The models: data, features, training, gate, registry, monitoring, serving. Knows nothing of Google."""

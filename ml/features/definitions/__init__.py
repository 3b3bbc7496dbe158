"""Features by where they come from; each function is one feature, its docstring the description."""

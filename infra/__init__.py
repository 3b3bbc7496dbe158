"""The platform: settings, names, constructs, stacks, policy and the sandbox."""

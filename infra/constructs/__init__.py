"""One entity a file, with its IAM: secure by default, typed arguments in, attributes out."""

import infra.bindings  # noqa: F401  -- puts the generated `imports` on the path

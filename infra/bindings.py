"""The one module that names CDK for Terraform. `CORE = "cdktn"` switches the whole app to its maintained fork."""

from __future__ import annotations

import os

os.environ.setdefault("JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION", "20")

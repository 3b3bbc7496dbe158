"""What the programs of a change are given of our surroundings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_HARMLESS = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TERM|TMPDIR|TEMP|TMP|CI|SSL_CERT_(?:FILE|DIR)|\w*_CA_BUNDLE|"
    r"(?:HTTPS?|NO|ALL)_PROXY|OMP_\w+|PYTHON\w+|COV\w+|NODE_\w+|JSII_\w+|CDKTF_\w+|FONDERIE_\w+|VIRTUAL_ENV",
    re.IGNORECASE,
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|REVIEW_KEY", re.IGNORECASE)
_HOSTS = re.compile(r"(?:GITHUB|GITLAB|ACTIONS|CI|GH|BUILD|RUNNER)_\w+|\w*(?:TOKEN|SECRET|PASSWORD|REVIEW_KEY)\w*")
_GOOGLE = re.compile(r"(?:GOOGLE|CLOUDSDK|TF)_\w+")


def harmless(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The surroundings of a program of the change itself: what it needs to run, and no token of anything."""
    return {
        name: value
        for name, value in variables.items()
        if _HARMLESS.fullmatch(name) and not _SECRET.search(name) and name != "FONDERIE_MODELS"
    }


def for_terraform(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The surroundings of a Terraform that plans a change: Google's credentials, and no token of the Git host."""
    return {name: value for name, value in variables.items() if _GOOGLE.fullmatch(name) or not _HOSTS.fullmatch(name)}

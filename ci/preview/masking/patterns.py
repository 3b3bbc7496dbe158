"""What looks like a secret: names that hold one, and the shapes of keys, tokens and passwords."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter

HIDDEN = "(secret)"

# Names under which a string is a secret. `secret` alone is not: Google's resources name secrets by it.
_NAME = re.compile(
    r"(?:^|[_\-.\s]|(?<=[a-z])(?=[A-Z]))"
    r"(?:pass(?:word|wd|phrase|code)?|pwd|private_?key(?:_?data)?|secret_?(?:key|data|value|access_?key)|client_?secret"
    r"|api_?(?:key|token|secret)|access_?(?:key|token)|account_?key|auth(?:_?token|orization)|bearer|token|credentials?"
    r"|cookie|signing_?key|encryption_?key|db_?pass|connection_?string|webhook_?secret)$",
    re.IGNORECASE,
)
# The keyword only: what stands before it in a name stays as it is, and looking for it would take quadratic time.
_ASSIGNED = (
    r"(?i:(?:password|passwd|passphrase|secret[_-]?key|client[_-]?secret|secret[_-]?data|api[_-]?key"
    r"|access[_-]?(?:key|token)|auth[_-]?token|account[_-]?key|private[_-]?key|(?<![a-z])token|(?<![a-z])pwd))"
)
_PATTERNS = (
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    r"\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?",  # JSON web token
    r"\bgh[pousr]_[A-Za-z0-9]{16,}",
    r"\bgithub_pat_[A-Za-z0-9_]{16,}",
    r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_\-]{16,}",
    r"\bAIza[A-Za-z0-9_\-]{30,}",  # Google API key
    r"\bya29\.[A-Za-z0-9_\-.]{10,}",  # Google access token
    r"\bGOCSPX-[A-Za-z0-9_\-]{16,}",  # Google OAuth client secret
    r"\b1//0[A-Za-z0-9_\-]{20,}",  # Google refresh token
    r"\bGOOG1[A-Z0-9]{18,}",  # Cloud Storage HMAC key
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,}",
    r"\bhooks\.slack\.com/services/[A-Za-z0-9/]{10,}",
    r"\b(?:sk|rk|pk)[-_](?:live_|test_|proj-|ant-)?[A-Za-z0-9_\-]{20,}",
    r"\b(?:npm|hf|pypi|dop_v1|shpat|SG|figd|lin_api)[_\-.][A-Za-z0-9_\-.]{20,}",
    r"(?i:\bbearer\s+[A-Za-z0-9_\-.=+/~]{8,})",
    r"(?i:\bbasic\s+[A-Za-z0-9+/]{12,}={0,2})",
    r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.\-]{1,20}://[^\s/:@\"']{0,200}:)(?P<login>[^\s@/\"']{1,200})(?=@)",
    rf"(?P<name>{_ASSIGNED}[\"']?\s{{0,3}}(?:=|:(?!//))\s{{0,3}})(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&\"']{{3,}})",
    r"(?P<flag>--(?:password|token|api-key|secret|client-secret)[=\s])(?P<given>[^\s\"']{3,})",
)
_SECRET = re.compile("|".join(_PATTERNS))
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_\-])[A-Za-z0-9+/_\-]{32,}={0,2}(?![A-Za-z0-9+/=_\-])")
_SPEC = ("pipelineInfo", "deploymentSpec", "root")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
# One cheap look decides for nearly every string that none of the patterns can match.
_HINT = re.compile(
    r"(?i:private key|eyJ|gh[pousr]_|github_pat|gl[a-z]{2,4}-|AIza|ya29|GOCSPX|1//0|GOOG1|AKIA|ASIA|xox|hooks\.slack"
    r"|[srp]k[-_]|npm_|hf_|pypi-|dop_|shpat|SG\.|figd|lin_api|bearer|basic|://|pass|secret|api.?key|token|access.?key"
    r"|account.?key|private.?key|pwd)"
)


def is_secret_name(name: str) -> bool:
    """Whether a string under this name is a secret: `password`, `db_password`, `apiKey`, `auth-token` ..."""
    return len(name) < 200 and _NAME.search(name) is not None


def is_pipeline_spec(value: object) -> bool:
    """Whether a document is a compiled Kubeflow pipeline: the provider marks any object's content as sensitive."""
    return isinstance(value, dict) and all(key in value for key in _SPEC)


@functools.lru_cache(maxsize=65_536)
def without_patterns(text: str) -> str:
    """`text` with everything that looks like a secret hidden; names and schemes beside it stay."""
    if len(text) < 8:
        return text
    if _HINT.search(text):
        text = _SECRET.sub(_hide, text)
    return _BASE64.sub(_hide_base64, text) if len(text) >= 32 else text


def _hide(match: re.Match[str]) -> str:
    kept = match.group("scheme") or match.group("name") or match.group("flag") or ""
    return kept + HIDDEN


def _hide_base64(match: re.Match[str]) -> str:
    """Random bytes in base64: upper, lower and digits without the rhythm of words. Hexadecimal digests stay."""
    text = match.group()
    if _HEX.fullmatch(text) or text.count("/") + text.count("-") + text.count("_") > len(text) // 8:
        return text
    kinds = (re.search(r"[A-Z]", text), re.search(r"[a-z]", text), re.search(r"[0-9]", text))
    if not all(kinds):
        return text
    shares = [count / len(text) for count in Counter(text).values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    return HIDDEN if entropy > 4.0 else text

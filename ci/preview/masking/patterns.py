"""What looks like a secret: names that hold one, and the shapes of keys, tokens and passwords."""

from __future__ import annotations

import base64
import functools
import math
import re
from collections import Counter
from collections.abc import Iterator

HIDDEN = "(secret)"
_LEAST_ENTROPY = 4.0  # bits a character
_WORDS_SHARE = 0.4

# Names under which a string is a secret. `secret` alone is not: Google's resources name secrets by it.
_NAME = re.compile(
    r"(?:^|[_\-.\s]|(?<=[a-z])(?=[A-Z]))"
    r"(?:pass(?:word|wd|phrase|code)?|pwd|psk|pat|private[_-]?key(?:[_-]?data)?"
    r"|secret[_-]?(?:key|data|value|access[_-]?key)|(?:client|hmac|shared|webhook|api|app)[_-]?secret"
    r"|api[_-]?(?:key|token)|access[_-]?(?:key|token)|account[_-]?key|ssh[_-]?key|auth(?:[_-]?token|orization)|bearer"
    r"|token|credentials?|cookie|signing[_-]?key|encryption[_-]?key|db[_-]?pass|connection[_-]?string"
    r"|webhook(?:[_-]?url)?)$",
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
    r"(?P<token>\b(?:sk|rk|pk)[-_](?:live_|test_|proj-|ant-)?[A-Za-z0-9_\-]{20,}"
    r"|\b(?:npm|hf|pypi|dop_v1|shpat|SG|figd|lin_api)[_\-.][A-Za-z0-9_\-.]{20,}"
    r"|(?i:\bbearer\s+)[A-Za-z0-9_\-.=+/~]{8,}"
    r"|(?i:\bbasic\s+)[A-Za-z0-9+/]{12,}={0,2})",
    r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.\-]{1,20}://[^\s/:@\"']{0,200}:)(?P<login>[^\s@/\"']{1,200})(?=@)",
    rf"(?P<name>{_ASSIGNED}[\"']?\s{{0,3}}(?:=|:(?!//))\s{{0,3}})(?P<value>\"[^\"]*\"|'[^']*'|[^\s,;&\"']{{3,}})",
    r"(?P<flag>--(?:password|token|api-key|secret|client-secret)[=\s])(?P<given>[^\s\"']{3,})",
)
_SECRET = re.compile("|".join(_PATTERNS))
# Stands alone: between spaces, quotes and the like, not as a part of an address, a path or a name.
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_\-.:@])[A-Za-z0-9+/]{32,}={0,2}(?![A-Za-z0-9+/=_\-.:@])")
_WORDS = re.compile(r"[a-z]{4,}|[A-Z]{5,}")
_SENTENCE = re.compile(r"(?!(?:sk|rk|pk)[-_](?:live|test|proj|ant))[A-Za-z]+(?:[-_\s][a-z]+)*")
_EXPRESSION = re.compile(r"[a-z_]+(?:\.[a-z_]+)+|\$\{[^}]*\}?")
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


def encoded_texts(text: str) -> Iterator[tuple[str, str]]:
    """The parts of a text that are texts in base64, with what they say."""
    for match in _BASE64.finditer(text) if len(text) >= 32 else ():
        if decoded := _decoded(match.group()):
            yield match.group(), decoded


def _hide(match: re.Match[str]) -> str:
    """What stays of a match: all when it is words (`basic authentication`) or an expression (`google.subject`)."""
    token, value = match.group("token"), match.group("value")
    if (token and _SENTENCE.fullmatch(token)) or (value and _EXPRESSION.fullmatch(value)):
        return match.group()
    kept = match.group("scheme") or match.group("name") or match.group("flag") or ""
    return kept + HIDDEN


def _hide_base64(match: re.Match[str]) -> str:
    """Random bytes in base64: upper, lower and digits without words. Digests, paths and texts in base64 stay."""
    text = match.group()
    if _HEX.fullmatch(text) or _worded(text) or not all(re.search(kind, text) for kind in ("[A-Z]", "[a-z]", "[0-9]")):
        return text
    if "/" in text and len(text) % 4:
        return text
    if decoded := _decoded(text):
        return text if without_patterns(decoded) == decoded else HIDDEN
    shares = [count / len(text) for count in Counter(text).values()]
    entropy = -sum(share * math.log2(share) for share in shares)
    return HIDDEN if entropy > _LEAST_ENTROPY else text


def _worded(text: str) -> bool:
    """Whether a good part of a text is words; of random bytes in base64, about a twelfth looks like that."""
    return sum(len(word) for word in _WORDS.findall(text)) >= _WORDS_SHARE * len(text)


def _decoded(text: str) -> str:
    """What a text in base64 says; nothing when its bytes are not a text."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True).decode()
    except ValueError:
        return ""
    return decoded if all(char.isprintable() or char in "\n\t\r" for char in decoded) else ""

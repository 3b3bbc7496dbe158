"""Cloud Scheduler: one token a target, no headers that Google sets."""

from __future__ import annotations

from fonderie.sandbox.lifecycle.interface import UNKNOWN, Diagnostic, State
from fonderie.sandbox.planning.type_rules import TypeRules
from fonderie.sandbox.planning.validation import error

_GOOGLES = ("X-Google-", "X-AppEngine-")


def _check_job(config: State) -> list[Diagnostic]:
    found = []
    for name in ("http_target", "app_engine_http_target"):
        for target in config.get(name) or []:
            if target is UNKNOWN:
                continue
            if target.get("oauth_token") and target.get("oidc_token"):
                words = "only one of oauth_token or oidc_token can be specified, but not both"
                found.append(error(f"Error in {name}: {words}"))
            headers = target.get("headers") or {}
            for key in [] if headers is UNKNOWN else headers:
                if key == "Content-Length" or key.startswith(_GOOGLES):
                    found.append(error(f"Cannot set the {key} header on {name}.0.headers"))
    return found


PLANS = {"google_cloud_scheduler_job": TypeRules(check=_check_job)}

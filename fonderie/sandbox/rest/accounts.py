"""Who one is and becomes: IAM's roles and pools, tokens of accounts, tokens from elsewhere exchanged for ours.

Source: the REST references of IAM, IAM Credentials and Security Token Service; "Workload identity federation with
deployment pipelines" (mappings, conditions, audiences); RFC 8693 (token exchange, its errors).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fonderie.core.errors import BadInputError
from fonderie.core.google_iam import known_permissions, predefined_roles
from fonderie.sandbox.cloud import out_of_band
from fonderie.sandbox.cloud.cloud import ObjectStatus
from fonderie.sandbox.cloud.documents import Document
from fonderie.sandbox.iam.caller import Caller
from fonderie.sandbox.iam.tokens import LIFETIME_S, Tokens, identity_claims, identity_token
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError
from fonderie.sandbox.rest.http import Reply
from fonderie.sandbox.rest.judgement import account

_PROVIDER = "google_iam_workload_identity_pool_provider"
_POOL = "google_iam_workload_identity_pool"
_AUDIENCE = "//iam.googleapis.com/"


class Accounts:
    """Roles, pools and tokens."""

    def __init__(self, world: World, tokens: Tokens) -> None:
        self._world, self._tokens = world, tokens

    def handle(self, call: Call) -> Document | Reply:
        """Answer one call."""
        match call.method:
            case "sts.token":
                return self._exchange(call.body)
            case "iamcredentials.projects.serviceAccounts.generateAccessToken":
                return self._access_token(call)
            case "iamcredentials.projects.serviceAccounts.generateIdToken":
                return self._id_token(call)
            case "iam.permissions.queryTestablePermissions":
                return self._testable(call.body)
            case "iam.roles.get":
                return self._role(call.path["name"])
            case (
                "iam.projects.locations.workloadIdentityPools.get"
                | "iam.projects.locations.workloadIdentityPools.providers.get"
            ) if deleted := self._deleted(call.path["name"]):
                return deleted
            case (
                "iam.projects.locations.workloadIdentityPools.undelete"
                | "iam.projects.locations.workloadIdentityPools.providers.undelete"
            ):
                return self._undelete(call.path["name"])
        raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no {call.method}")

    # -- IAM

    @staticmethod
    def _testable(body: Mapping[str, Any]) -> Document:
        """Every permission that is known here: which of them the resource could have is not asked."""
        names = sorted(known_permissions())
        start, size = int(body.get("pageToken") or 0), int(body.get("pageSize") or 100)
        page: Document = {"permissions": [{"name": name, "stage": "GA"} for name in names[start : start + size]]}
        return page | ({"nextPageToken": str(start + size)} if start + size < len(names) else {})

    @staticmethod
    def _role(name: str) -> Document:
        if name not in predefined_roles():
            raise RejectedError(404, "NOT_FOUND", f"The role named {name} was not found.")
        return {"name": name, "stage": "GA", "includedPermissions": sorted(predefined_roles()[name])}

    def _deleted(self, name: str) -> Document | None:
        """A pool or provider that was deleted is kept for 30 days, and says so."""
        path = self._world.names.canonical(name)
        for type in (_POOL, _PROVIDER):
            thing = self._world.cloud.get(type, path)
            if thing and thing.status is ObjectStatus.SOFT_DELETED:
                return {"name": path, "state": "DELETED"}
        return None

    def _undelete(self, name: str) -> Document:
        path = self._world.names.canonical(name)
        try:
            out_of_band.undelete(self._world.cloud, path)
        except BadInputError as error:
            raise RejectedError(400, "FAILED_PRECONDITION", f"{path} is not deleted.") from error
        return {"name": f"{path}/operations/{self._world.cloud.count('operations')}", "done": True, "response": {}}

    # -- tokens of accounts

    def _email(self, call: Call) -> str:
        email = call.path["name"].rsplit("/", 1)[1]
        if not self._world.there("google_service_account", account(email, self._world)):
            raise RejectedError(404, "NOT_FOUND", f"Not found; Gaia id not found for email {email}")
        return email

    def _access_token(self, call: Call) -> Document:
        lifetime_s = float(call.body.get("lifetime", f"{LIFETIME_S}s").removesuffix("s"))
        if not call.body.get("scope"):
            raise RejectedError(400, "INVALID_ARGUMENT", "Request contains an invalid argument.")
        if not 0 < lifetime_s <= LIFETIME_S:
            raise RejectedError(400, "INVALID_ARGUMENT", f"The lifetime must be at most {LIFETIME_S} seconds.")
        token = self._tokens.issue(
            Caller(f"serviceAccount:{self._email(call)}"), lifetime_s, " ".join(call.body["scope"])
        )
        until = datetime.fromtimestamp(self._tokens.now() + lifetime_s, UTC)
        return {"accessToken": token, "expireTime": until.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _id_token(self, call: Call) -> Document:
        now = int(self._tokens.now())
        issuer = "https://accounts.google.com"
        claims = {"iss": issuer, "sub": self._email(call), "aud": call.body.get("audience"), "iat": now}
        return {"token": identity_token(self._world.cloud, claims | {"exp": now + LIFETIME_S})}

    # -- federation

    def _exchange(self, body: Mapping[str, Any]) -> Document | Reply:
        """A token of an identity provider that one of our pools trusts becomes a federated one."""
        told = {_camel(name): value for name, value in body.items()}
        try:
            caller = self._federated(str(told.get("audience", "")), str(told.get("subjectToken", "")))
        except FederationError as error:
            return Reply.of({"error": error.code, "error_description": str(error)}, error.status)
        return {
            "access_token": self._tokens.issue(caller, scope=str(told.get("scope", ""))),
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": LIFETIME_S,
        }

    def _federated(self, audience: str, token: str) -> Caller:
        path = self._world.names.canonical(audience.removeprefix("https:").removeprefix(_AUDIENCE))
        pool = path.partition("/providers/")[0]
        provider = self._world.cloud.live(_PROVIDER, path)
        if not self._world.cloud.live(_POOL, pool) or provider is None or provider.attributes.get("disabled"):
            what = 'Invalid value for "audience". This value should be the full resource name of the Identity Provider.'
            raise FederationError(
                "invalid_target", f"{what} Details: https://cloud.google.com/iam/docs/reference/sts/rest."
            )
        oidc = (provider.attributes.get("oidc") or [{}])[0]
        claims = identity_claims(self._world.cloud, token, str(oidc.get("issuer_uri")))
        if claims is None:
            raise FederationError("invalid_grant", "The ID Token is not signed by the provider's issuer.")
        if float(claims.get("exp", 0)) <= self._tokens.now():
            raise FederationError("invalid_grant", f"ID Token issued at {claims.get('iat')} is stale to sign-in.")
        number = self._world.cloud.number_of(path.split("/")[1])
        own = f"{_AUDIENCE}projects/{number}/{path.split('/', 2)[2]}"
        expected = oidc.get("allowed_audiences") or [own, f"https:{own}"]
        if claims.get("aud") not in expected:
            words = f"The audience in ID Token [{claims.get('aud')}] does not match the expected audience"
            raise FederationError("invalid_grant", f"{words} {expected[0]}.")
        return self._mapped(provider.attributes, claims, f"projects/{number}/{pool.split('/', 2)[2]}")

    @staticmethod
    def _mapped(provider: Mapping[str, Any], claims: Mapping[str, Any], pool: str) -> Caller:
        mapping = {
            name: _evaluate(expression, {"assertion": dict(claims)})
            for name, expression in (provider.get("attribute_mapping") or {}).items()
        }
        subject = mapping.get("google.subject")
        if not isinstance(subject, str) or not subject or len(subject) > 127:
            raise FederationError(
                "invalid_grant", "Could not obtain a value for google.subject from the given credential."
            )
        attributes = {name: str(value) for name, value in mapping.items() if name.startswith("attribute.")}
        variables = {
            "assertion": dict(claims),
            "google": {"subject": subject},
            "attribute": {name.partition(".")[2]: value for name, value in attributes.items()},
        }
        condition = provider.get("attribute_condition")
        if condition and _evaluate(condition, variables) is not True:
            raise FederationError("unauthorized_client", "The given credential is rejected by the attribute condition.")
        return Caller(f"principal://iam.googleapis.com/{pool}/subject/{subject}", attributes)


class FederationError(Exception):
    """A token that is not exchanged, with the error code of RFC 6749."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code, self.status = code, status


def _evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """The value of a CEL expression. Raises FederationError where it has none."""
    import cel  # 0.7 s: only where somebody federates

    try:
        return cel.evaluate(expression, dict(variables))
    except (ValueError, RuntimeError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise FederationError(
            "invalid_grant", f"The expression {expression!r} cannot be evaluated: {reason}"
        ) from error


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)

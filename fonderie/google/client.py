"""Credentials, Google's client libraries, and its REST APIs; their errors are ours.

Libraries are imported when they are used: they cost seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fonderie.core.errors import FonderieError, MissingToolError, RefusedError, StepFailedError
from fonderie.google.answers import TIMEOUT_S, TRANSIENT, NoCredentialsError, Refusal, loopback_token

SCOPES = "https://www.googleapis.com/auth/"
PAGE = 100
PATIENCE_S = 30.0
"""How long a call that may be repeated is repeated."""


@dataclass(frozen=True)
class Access:
    """How Google is reached. Without an endpoint at its own addresses, with the credentials of the environment.

    `endpoint` (`http://host:port`, every API on it) and `credentials` are for a private gateway, or a stand-in. What
    is asked over plain http is asked without credentials, but for the sandbox's token to this very machine: a token
    never goes over an open line. `scope` is the last part of an OAuth scope.
    """

    project: str
    region: str = ""
    endpoint: str | None = None
    credentials: Any = None
    scope: str = "cloud-platform"

    @classmethod
    def from_environment(cls, project: str, region: str = "", *, scope: str = "cloud-platform") -> Access:
        """With FONDERIE_GOOGLE_ENDPOINT in place of Google's address, if it is set."""
        endpoint = os.environ.get("FONDERIE_GOOGLE_ENDPOINT") or None
        return cls(project, region, endpoint=endpoint, scope=scope)

    def vertex(self, client: str) -> Any:
        """A client of Vertex AI by its name in `google.cloud.aiplatform_v1`, over REST. Costs seconds at first."""
        with google_errors(f"Vertex AI in {self.region}"):
            from google.cloud import aiplatform_v1

            endpoint = self.endpoint or f"{self.region}-aiplatform.googleapis.com"
            return getattr(aiplatform_v1, client)(
                transport="rest", credentials=self.resolved_credentials, client_options={"api_endpoint": endpoint}
            )

    def storage(self) -> Any:
        """A client of Cloud Storage."""
        with google_errors("Cloud Storage"):
            from google.cloud import storage

            options = {"api_endpoint": self.endpoint} if self.endpoint else None
            # Objects need no project.
            return storage.Client(
                project=self.project or None, credentials=self.resolved_credentials, client_options=options
            )

    def bigquery(self) -> Any:
        """A client of BigQuery whose jobs run in the region."""
        with google_errors(f"BigQuery in {self.region}"):
            from google.cloud import bigquery

            options = {"api_endpoint": self.endpoint} if self.endpoint else None
            return bigquery.Client(
                project=self.project,
                location=self.region,
                credentials=self.resolved_credentials,
                client_options=options,
            )

    @cached_property
    def resolved_credentials(self) -> Any:
        """The credentials given, none (or the sandbox's token) over plain http, or those of the environment.

        A person's log-in without a quota project is counted against our project: many APIs refuse it otherwise. A
        service account's calls count against its own project, and naming another needs a role that it may not have.
        Raises NoCredentialsError.
        """
        with google_errors(f"credentials for {self.project}"):
            import google.auth
            from google.auth.credentials import AnonymousCredentials
            from google.oauth2.credentials import Credentials

            if self.credentials is not None:
                return self.credentials
            if self.endpoint and self.endpoint.startswith("http://"):
                token, payer = loopback_token(self.endpoint), os.environ.get("GOOGLE_CLOUD_QUOTA_PROJECT")
                return Credentials(token, quota_project_id=payer) if token else AnonymousCredentials()
            credentials, _ = google.auth.default(scopes=[SCOPES + self.scope])
            if isinstance(credentials, Credentials) and not credentials.quota_project_id:
                return credentials.with_quota_project(self.project)
            return credentials

    @property
    def account(self) -> str:
        """The service account's address; empty for a person. Raises NoCredentialsError."""
        return getattr(self.resolved_credentials, "service_account_email", "")

    @property
    def parent(self) -> str:
        """`projects/P/locations/R`."""
        return f"projects/{self.project}/locations/{self.region}"


class RestClient:
    """APIs that have no client library here. `api` is NAME in `https://NAME.googleapis.com`, `path` what follows.

    A GET, and a POST that is said to be idempotent, is repeated for `patience_s` while Google answers 429 or 5xx or
    cannot be reached. Every failure is a FonderieError: NotFoundError for a 404, the others as in `Refusal.error`.
    """

    def __init__(self, access: Access, *, patience_s: float = PATIENCE_S) -> None:
        self._access, self._patience_s = access, patience_s

    def get(self, api: str, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The document at `path`."""
        return self._call("GET", api, path, idempotent=True, params=query)

    def post(
        self, api: str, path: str, body: Mapping[str, Any] | None = None, *, idempotent: bool = False
    ) -> dict[str, Any]:
        """The answer to a JSON body."""
        return self._call("POST", api, path, idempotent=idempotent, json=body)

    def pages(
        self, api: str, path: str, collection: str, query: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """What is in the field `collection`, over all pages."""
        query = {"pageSize": str(PAGE), **(query or {})}
        while True:
            document = self.get(api, path, query)
            yield from document.get(collection, [])
            if not (token := document.get("nextPageToken")):
                return
            query = {**query, "pageToken": token}

    @cached_property
    def session(self) -> Any:
        """The HTTP session, with credentials. Raises NoCredentialsError."""
        with google_errors(f"credentials for {self._access.project}"):
            from google.auth.transport.requests import AuthorizedSession

            return AuthorizedSession(self._access.resolved_credentials)

    def _call(self, verb: str, api: str, path: str, *, idempotent: bool, **content: Any) -> dict[str, Any]:
        session, host = self.session, f"{api}.googleapis.com"
        url = f"{self._access.endpoint or f'https://{host}'}/{path}"
        with google_errors(f"{host}/{path}"):
            from google.api_core.exceptions import from_http_response
            from google.api_core.retry import Retry

            def send() -> Any:
                answer = session.request(verb, url, timeout=TIMEOUT_S, **content)
                if not answer.ok:
                    raise from_http_response(answer)
                return answer.json()

            patience_s = self._patience_s if idempotent else 0
            document: dict[str, Any] = Retry(_is_transient, initial=0.5, maximum=8, timeout=patience_s)(send)()
            return document


def _is_transient(error: Exception) -> bool:
    from google.auth.exceptions import TransportError
    from requests.exceptions import ConnectionError, Timeout

    return isinstance(error, ConnectionError | Timeout | TransportError) or getattr(error, "code", None) in TRANSIENT


@contextmanager
def google_errors(where: str) -> Iterator[None]:
    """Turn an error of Google's libraries inside the block into one of ours, with what to do."""
    try:
        from google.api_core.exceptions import GoogleAPICallError, RetryError
        from google.auth import exceptions as auth
        from requests.exceptions import RequestException
    except ImportError as error:
        raise MissingToolError(f"{error.name} is not installed", where=where, hint="run `make setup`") from error
    try:
        yield
    except FonderieError:
        raise
    except RetryError as error:
        raise _translated(error.cause or error, where) from error
    except (GoogleAPICallError, auth.GoogleAuthError, RequestException) as error:
        raise _translated(error, where) from error


def _translated(error: BaseException, where: str) -> FonderieError:
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth import exceptions as auth

    match error:
        case GoogleAPICallError():
            return _refusal(error).error(where)
        case auth.DefaultCredentialsError():
            hint = "run `gcloud auth application-default login`"
            return NoCredentialsError("there are no credentials", where=where, hint=hint)
        case auth.TransportError():
            problem, hint = f"Google's log-in could not be reached: {error}", "is the network up? run it again"
            return StepFailedError(problem, where=where, hint=hint)
        case auth.GoogleAuthError():
            problem, hint = f"the credentials do not work: {error}", "log in again, or look at the federation"
            return RefusedError(problem, where=where, hint=hint)
        case _:
            problem, hint = f"Google could not be reached: {error}", "is the network up? run it again"
            return StepFailedError(problem, where=where, hint=hint)


def _refusal(error: Any) -> Refusal:
    reasons = (each.get("reason", "") for each in error.errors if isinstance(each, dict))
    reason = error.reason or next(reasons, "")
    return Refusal(int(error.code or 0), error.message, str(reason), dict(error.metadata or {}))

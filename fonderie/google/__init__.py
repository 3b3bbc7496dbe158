"""Google's client libraries, for the adapters only: imported when they are used, their errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fonderie.core.errors import (
    BadInputError,
    ConflictError,
    FonderieError,
    MissingToolError,
    RefusedError,
    StepFailedError,
)

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
PAGE, TIMEOUT_S = 100, 30


@dataclass(frozen=True)
class Access:
    """How Google is reached. Without an endpoint it is Google itself, with the credentials of the environment.

    `endpoint` (`http://host:port`, every API on it) and `credentials` are for a private gateway, or a stand-in. What
    is asked over plain http is asked without credentials: a token never goes over an open line.
    """

    project: str
    region: str
    endpoint: str | None = None
    credentials: Any = None

    def vertex(self, client: str) -> Any:
        """A client of Vertex AI by its name in `google.cloud.aiplatform_v1`, over REST. Costs seconds at first."""
        with words(f"Vertex AI in {self.region}"):
            from google.cloud import aiplatform_v1

            endpoint = self.endpoint or f"{self.region}-aiplatform.googleapis.com"
            return getattr(aiplatform_v1, client)(
                transport="rest", credentials=self.who, client_options={"api_endpoint": endpoint}
            )

    def storage(self) -> Any:
        """A client of Cloud Storage."""
        with words("Cloud Storage"):
            from google.cloud import storage

            options = {"api_endpoint": self.endpoint} if self.endpoint else None
            return storage.Client(project=self.project, credentials=self.who, client_options=options)

    def bigquery(self) -> Any:
        """A client of BigQuery whose jobs run in the region."""
        with words(f"BigQuery in {self.region}"):
            from google.cloud import bigquery

            options = {"api_endpoint": self.endpoint} if self.endpoint else None
            return bigquery.Client(
                project=self.project, location=self.region, credentials=self.who, client_options=options
            )

    def read(self, host: str, path: str, collection: str) -> Iterator[dict[str, Any]]:
        """What is in a collection of an API that has no client library here, over all its pages.

        `host` is `NAME.googleapis.com`, `path` below it. Errors are those of Google's libraries: read inside `words`.
        """
        from google.api_core.exceptions import from_http_response
        from google.auth import default
        from google.auth.transport.requests import AuthorizedSession

        who = self.who or default(scopes=[CLOUD_PLATFORM])[0]
        query: dict[str, str] = {"pageSize": str(PAGE)}
        with AuthorizedSession(who) as session:
            while True:
                answer = session.get(f"{self.endpoint or f'https://{host}'}/{path}", params=query, timeout=TIMEOUT_S)
                if not answer.ok:
                    raise from_http_response(answer)
                document = answer.json()
                yield from document.get(collection, [])
                if not (token := document.get("nextPageToken")):
                    return
                query["pageToken"] = token

    @property
    def who(self) -> Any:
        """Credentials for a client; None lets it find those of the environment."""
        if self.credentials is None and self.endpoint and self.endpoint.startswith("http://"):
            from google.auth.credentials import AnonymousCredentials

            return AnonymousCredentials()
        return self.credentials

    @property
    def parent(self) -> str:
        """`projects/P/locations/R`."""
        return f"projects/{self.project}/locations/{self.region}"


@contextmanager
def words(where: str) -> Iterator[None]:
    """Turn an error of Google's libraries inside the block into one of ours, with what to do."""
    try:
        from google.api_core import exceptions as api
        from google.auth import exceptions as auth
        from requests import exceptions as http
    except ImportError as error:
        raise MissingToolError(f"{error.name} is not installed", where=where, hint="run `make setup`") from error
    try:
        yield
    except FonderieError:
        raise
    except auth.DefaultCredentialsError as error:
        raise RefusedError(
            "there are no credentials", where=where, hint="run `gcloud auth application-default login`"
        ) from error
    except auth.TransportError as error:
        raise StepFailedError(
            f"Google's log-in could not be reached: {error}", where=where, hint="is the network up? run it again"
        ) from error
    except auth.RefreshError as error:
        raise RefusedError(
            f"the credentials do not work: {error}", where=where, hint="log in again, or look at the federation"
        ) from error
    except api.GoogleAPICallError as error:
        raise _ours(error, where) from error
    except (http.ConnectionError, http.Timeout, api.RetryError) as error:
        raise StepFailedError(
            f"Google could not be reached: {error}", where=where, hint="is the network up? run it again"
        ) from error


def _ours(error: Any, where: str) -> FonderieError:
    what = f"{error.code} {error.message}"
    match int(error.code or 0):
        case 400:
            return BadInputError(what, where=where)
        case 401:
            return RefusedError(what, where=where, hint="log in again: the credentials have expired")
        case 403 if "SERVICE_DISABLED" in what or "has not been used" in what:
            return RefusedError(what, where=where, hint="enable the API: deploy the foundation stack")
        case 403 if _reason(error) in {"quotaExceeded", "rateLimitExceeded"}:
            return RefusedError(what, where=where, hint="a quota is used up: wait, or ask for more")
        case 403:
            return RefusedError(what, where=where, hint="this identity lacks a role: `fonderie doctor` names it")
        case 404:
            return BadInputError(what, where=where, hint="is the project right, and are the stacks deployed?")
        case 409 | 412:
            return ConflictError(what, where=where, hint="somebody else was first: look, then run it again")
        case 429:
            return RefusedError(what, where=where, hint="a quota is used up: wait, or ask for more")
        case _:
            return StepFailedError(what, where=where, hint="run it again")


def _reason(error: Any) -> str:
    """BigQuery's and Cloud Storage's own word for what is wrong; empty where an API has none."""
    return next((str(one.get("reason", "")) for one in error.errors if isinstance(one, dict)), "")

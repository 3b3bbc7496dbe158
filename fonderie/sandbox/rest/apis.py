"""One address for all APIs: a request is matched with Google's documents, its caller judged, its API asked to answer.

Checks come in Google's order: the token, whether the API is enabled, the permission, then the sense of the request.
What is not imitated answers 501 and names the method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote, unquote

from fonderie.core.errors import BadInputError, FonderieError
from fonderie.sandbox.cloud.documents import Document, Documents
from fonderie.sandbox.iam.access import AccessControl, DeniedError
from fonderie.sandbox.iam.caller import ANYONE, Caller, caller_in
from fonderie.sandbox.iam.tokens import TokenError, Tokens
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest import judgement
from fonderie.sandbox.rest.accounts import Accounts
from fonderie.sandbox.rest.builds import Builds, Images
from fonderie.sandbox.rest.discovery import Call, RejectedError, Service, service
from fonderie.sandbox.rest.endpoints import Endpoints, EndpointsOfTheCloud
from fonderie.sandbox.rest.http import HttpRequest, Reply, refusal
from fonderie.sandbox.rest.jobs import Jobs
from fonderie.sandbox.rest.logs import Logs
from fonderie.sandbox.rest.metadata import Metadata
from fonderie.sandbox.rest.models import Models
from fonderie.sandbox.rest.policies import Policies
from fonderie.sandbox.rest.projects import Projects
from fonderie.sandbox.rest.pubsub import Messages
from fonderie.sandbox.rest.registry import Registry
from fonderie.sandbox.rest.resources import Resources
from fonderie.sandbox.rest.routes import api_of_request
from fonderie.sandbox.rest.scheduler import Scheduler
from fonderie.sandbox.rest.secrets import Secrets
from fonderie.sandbox.rest.storage import Storage
from fonderie.sandbox.rest.workflows import Workflows
from fonderie.sandbox.rules import serviceusage

Handler = Callable[[Call], Document | bytes | Reply]

_MISSING = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_INVALID = _MISSING.replace("is missing required authentication credential", "had invalid authentication credentials")
_ALWAYS_ON = frozenset({"sts", "iamcredentials", "cloudresourcemanager", "serviceusage", "cloudbilling", "orgpolicy"})
"""APIs that are not asked about: they are not among those that a platform's stacks enable, or on in every project."""


class GoogleApis:
    """Every API over one cloud. Without `access` no caller is judged."""

    def __init__(self, world: World, access: AccessControl | None = None) -> None:
        self._world, self._access = world, access
        self.tokens = Tokens(world.cloud, lambda: world.clock.now().timestamp())
        self.storage = Storage(world)
        self._registry = Registry(world)
        self._resources = Resources(world)
        self._handlers = self._of_the_cloud()

    def _of_the_cloud(self) -> list[tuple[str, Handler]]:
        """Handlers by a part of the method's id; the first that fits has it."""
        world, cloud = self._world, self._world.cloud
        workflows = Workflows(world)
        projects, accounts, builds, logs = Projects(world), Accounts(world, self.tokens), Builds(world), Logs(world)
        now = world.clock.timestamp
        return [
            ("IamP", Policies(world, self._access).handle),
            ("storage.", self.storage.handle),
            ("bigquery.", self._bigquery),
            (".models.", Models(Documents(cloud, "model versions")).handle),
            (".endpoints.", Endpoints(EndpointsOfTheCloud(world)).handle),
            (".metadataStores.", Metadata(Documents(cloud, "store"), Documents(cloud, "context"), now).handle),
            (".pipelineJobs.", Jobs(Documents(cloud, "pipeline job"), now=now).handle),
            ("sts.", accounts.handle),
            ("iam.", accounts.handle),
            ("iamcredentials.", accounts.handle),
            ("cloudresourcemanager.", projects.handle),
            ("serviceusage.", projects.handle),
            ("cloudbilling.", projects.handle),
            ("orgpolicy.", projects.handle),
            ("compute.regions.", projects.handle),
            ("secretmanager.", Secrets(world).handle),
            ("pubsub.", Messages(world, self._access, workflows).handle),
            ("cloudscheduler.", Scheduler(world, self.tokens, self.respond).handle),
            ("workflowexecutions.", workflows.handle),
            ("cloudbuild.", builds.handle),
            (".dockerImages.", images := Images(world).handle),
            (".packages.", images),
            ("logging.entries.", logs.handle),
            (".timeSeries.", logs.handle),
        ]

    def _bigquery(self, call: Call) -> Document:
        """DuckDB and sqlglot cost half a second: only once a query comes."""
        from fonderie.sandbox.rest.bigquery import BigQuery

        engine = self.__dict__.get("_engine")
        if engine is None:
            engine = BigQuery(jobs=Documents(self._world.cloud, "bigquery job"), world=self._world)
            self.__dict__["_engine"] = engine
        answer: Document = engine.handle(call)
        return answer

    # -- a request

    def respond(self, request: HttpRequest) -> Reply:
        """The reply to a request, whatever is wrong with it."""
        try:
            return self._respond(request)
        except RejectedError as error:
            return refusal(error)
        except DeniedError as error:
            facts = {"permission": error.permission, "resource": error.resource}
            return refusal(RejectedError(403, "IAM_PERMISSION_DENIED", error.message, facts))
        except FonderieError as error:
            return refusal(RejectedError(500, "INTERNAL", str(error)))

    def _respond(self, request: HttpRequest) -> Reply:
        if (continued := self.storage.continue_upload(request)) is not None:
            return continued
        if (pull := self._registry.named(request)) is not None:
            caller = self._in_project(self._caller(request, "") or ANYONE, pull.project)
            self._api_is_on(service("artifactregistry", "v1"), "artifactregistry", pull.project)
            return self._registry.answer(request, pull, caller, self._access)
        api = api_of_request(request.headers.get("host", ""), request.path)
        if api is None:
            return self._read_object(request)
        try:
            known = service(*api)
        except FileNotFoundError:
            raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox has no API {api[0]} {api[1]}") from None
        body, media, media_type = request.parts()
        query = request.parameters
        token = query.pop("access_token", "")
        call = known.match(request.verb, request.path, query, body)
        path = {name: self._world.names.canonical(value) for name, value in call.path.items()}
        call = replace(call, path=path, media=media, media_type=media_type, headers=request.headers)
        if call.method not in judgement.PUBLIC:
            call = replace(call, caller=self._caller(request, token))
        call = self._judge(call, known, api[0])
        return self._reply(self.perform(call, known), call, known)

    def _reply(self, answered: Document | bytes | Reply, call: Call, known: Service) -> Reply:
        if isinstance(answered, Reply):
            return answered
        if isinstance(answered, bytes):
            return Reply(200, answered, {"content-type": "application/octet-stream"})
        if call.answer:
            known.check(call.answer, answered, "answer")
        return Reply.of(answered)

    def perform(self, call: Call, known: Service) -> Document | bytes | Reply:
        """Let the API answer a call that may be made; of what it does not know, what the cloud knows."""
        for part, handler in self._handlers:
            if part in call.method or (part == "IamP" and call.method.endswith((".testIamPermissions", "IamPolicy"))):
                try:
                    return handler(call)
                except KeyError as error:  # of the handlers: a field that Google wants too
                    message = f"Required field is not set: {error.args[0]}"
                    raise RejectedError(400, "INVALID_ARGUMENT", message) from error
                except RejectedError as error:
                    if error.status != 501 or not error.message.startswith("the sandbox has no"):
                        raise
                    break
        return self._resources.handle(call, known)

    def _read_object(self, request: HttpRequest) -> Reply:
        """`/BUCKET/OBJECT`, as the XML API has it and Go's client reads."""
        bucket, slash, name = unquote(request.path).lstrip("/").partition("/")
        if request.verb not in ("GET", "HEAD") or not slash or not name:
            where = f"{request.verb} {request.path}"
            raise RejectedError(501, "UNIMPLEMENTED", f"the sandbox knows no API with {where}")
        known = service("storage", "v1")
        place = f"storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"
        generation = request.parameters.get("generation", "")
        call = known.match("GET", place, {"alt": "media"}, {})
        call = replace(call, caller=self._caller(request, ""))
        call = self._judge(call, known, "storage")
        reply = self.storage.read(bucket, name, generation, request.headers)
        return replace(reply, content=b"") if request.verb == "HEAD" else reply

    # -- who calls, and may they

    def _caller(self, request: HttpRequest, token: str) -> Caller | None:
        if self._access is None:
            return ANYONE
        kind, _, written = request.headers.get("authorization", "").partition(" ")
        token = written.strip() if kind.lower() == "bearer" else token
        if not token:
            raise RejectedError(401, "CREDENTIALS_MISSING", _MISSING, {})
        try:
            return self.tokens.caller_of(token)
        except TokenError as error:
            reason = "ACCESS_TOKEN_EXPIRED" if error.expired else "ACCESS_TOKEN_TYPE_UNSUPPORTED"
            raise RejectedError(401, reason, _INVALID, {"sandbox": error.what}) from error

    def _judge(self, call: Call, known: Service, api: str) -> Call:
        """The call, with who makes it. Raises RejectedError, or DeniedError for who may not."""
        demands, gap = list[judgement.Demand](), None
        try:
            demands = list(judgement.demands(call, self._world)) if self._judged(call) else []
        except RejectedError as unknown:
            gap = unknown
        named = call.path or call.query.get("project") or api == "logging"
        where = judgement.resource(call, self._world) if named else ""
        project = judgement.project_of(where, self._world)
        self._api_is_on(known, api, project)
        if self._access is None or call.caller is None:
            return call
        call = replace(call, caller=self._in_project(call.caller, project))
        if gap and not (project and self._access.holds_role(call.caller, "roles/owner", f"projects/{project}")):
            raise gap  # an owner may do whatever it takes
        if quota := call.headers.get("x-goog-user-project"):
            path = self._world.names.canonical(f"projects/{quota}")
            self._access.demand(call.caller, ("serviceusage.services.use",), path)
        attributes = judgement.attributes(call, self._world)
        for permissions, path in demands:
            if not path.startswith("b/") or judgement.project_of(path, self._world):  # else a 404 says all
                self._access.demand(call.caller, permissions, path, attributes=attributes)
        return call

    @staticmethod
    def _in_project(caller: Caller, project: str) -> Caller:
        """Who a short name means in the project of a call; of a member the same everywhere."""
        if caller == ANYONE or ":" in caller.member:
            return caller
        try:
            return caller_in(project, caller.member, chosen=bool(caller.attributes))
        except BadInputError as error:
            message = f"{_INVALID} ({error.what})"
            raise RejectedError(401, "ACCOUNT_STATE_INVALID", message, {}) from error

    def _judged(self, call: Call) -> bool:
        return self._access is not None and call.method not in judgement.PUBLIC

    def _api_is_on(self, known: Service, api: str, project: str) -> None:
        name = f"{api}.googleapis.com"
        if self._world.established or not project or api in _ALWAYS_ON or name in serviceusage.ALWAYS_ON:
            return
        if project not in self._world.cloud.projects() or serviceusage.is_enabled(self._world, project, name):
            return
        number = self._world.cloud.number_of(project)
        message = (
            f"{known.document['title']} has not been used in project {number} before or it is disabled. Enable it by "
            f"visiting https://console.developers.google.com/apis/api/{name}/overview?project={number} then retry. If "
            "you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
        )
        raise RejectedError(403, "SERVICE_DISABLED", message, {"service": name, "consumer": f"projects/{number}"})

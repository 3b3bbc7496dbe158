"""What a call needs and on what: permissions by the method that its verb and path name, on the resource in its path.

Where a method needs more than one resource (a job runs as an account, a query reads tables), that is written here by
hand. Source: `fonderie.core.google_iam.methods` and, for what only people and Google's libraries call, the "IAM
permissions" of each method's reference page. A method of which nothing is known is refused, never let through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from fonderie.core.google_iam import methods
from fonderie.sandbox.cloud.cloud import CloudObject
from fonderie.sandbox.cloud.documents import Documents
from fonderie.sandbox.iam.conditions import MODIFIED_GRANTS
from fonderie.sandbox.lifecycle.world import World
from fonderie.sandbox.rest.discovery import Call, RejectedError

Demand = tuple[tuple[str, ...], str]
"""Permissions, and the canonical path of the resource that they are wanted on."""

ACT_AS = "iam.serviceAccounts.actAs"
PUBLIC = frozenset({"sts.token", "sts.introspect"})
"""Methods that are called without a token: who calls shows another one."""
_FREE = re.compile(
    r"\.(testIamPermissions|queryTestablePermissions|generateServiceIdentity)$|^bigquery\.projects\.getServiceAccount$"
)
"""Methods that need no permission: what they answer is what the caller may do, or the caller's own."""
_MORE: Mapping[str, tuple[str, ...]] = {
    "storage.objects.patch": ("storage.objects.get", "storage.objects.update"),
    "aiplatform.projects.locations.models.get": ("aiplatform.models.get",),
    "aiplatform.projects.locations.models.list": ("aiplatform.models.list",),
    "bigquery.tables.list": ("bigquery.tables.list",),
    "bigquery.tabledata.list": ("bigquery.tables.getData",),
    "pubsub.projects.subscriptions.acknowledge": ("pubsub.subscriptions.consume",),
    "pubsub.projects.subscriptions.modifyAckDeadline": ("pubsub.subscriptions.consume",),
    "cloudbuild.projects.builds.get": ("cloudbuild.builds.get",),
    "cloudbuild.projects.builds.create": ("cloudbuild.builds.create",),
    "cloudbuild.projects.locations.builds.create": ("cloudbuild.builds.create",),
}
"""Of permissions that `predefined_roles` knows: who holds another one is not known here."""


def demands(call: Call, world: World) -> Iterator[Demand]:
    """What a call needs. Raises RejectedError for a method of which that is not known."""
    if by_hand := _BY_HAND.get(call.method):
        yield from by_hand(call, world)
        return
    if needs_none(call.method):
        return
    always = tuple(permission for permission in permissions(call.method) if permission not in _conditional(call.method))
    yield always, resource(call, world)


def needs_none(method: str) -> bool:
    """Whether a method is open to whoever shows a token."""
    return bool(_FREE.search(method))


def permissions(method: str) -> tuple[str, ...]:
    """What a method needs. Raises RejectedError, in our own words, for a method that is in no table."""
    if known := methods().get(method):
        return known.permissions
    if more := _MORE.get(method):
        return more
    raise RejectedError(
        501, "UNIMPLEMENTED", f"the sandbox does not know which permissions {method} needs, so it refuses every caller"
    )


def _conditional(method: str) -> Mapping[str, str]:
    known = methods().get(method)
    return known.when if known else {}


def resource(call: Call, world: World) -> str:
    """The canonical path of what a call is about."""
    path = call.path
    if call.method.startswith("storage."):
        bucket = path.get("bucket") or path.get("destinationBucket")
        if not bucket:
            return f"projects/{path.get('projectId') or call.query.get('project', '')}"
        name = path.get("object") or path.get("destinationObject") or call.body.get("name") or call.query.get("name")
        return f"b/{bucket}/o/{name}" if name and ".objects." in call.method else f"b/{bucket}"
    if call.method.startswith("bigquery."):
        words = [f"projects/{path['projectId']}"]
        words += [f"{kind}s/{path[f'{kind}Id']}" for kind in ("dataset", "table") if f"{kind}Id" in path]
        return world.names.canonical("/".join(words))
    if call.method.startswith("compute."):
        words = [f"{name}s/{value}" for name, value in path.items()]
        return world.names.canonical("/".join(words))
    if call.method == "logging.entries.write":
        entries = call.body.get("entries") or [{}]
        return _two(call.body.get("logName") or entries[0].get("logName", ""))
    if call.method == "logging.entries.list":
        return _two(next(iter(call.body.get("resourceNames", [])), ""))
    if "/" in call.name:
        name = call.name.partition("@")[0] if ".models." in call.method else call.name
        name = re.sub(r"/operations/[^/]+$", "", name) if ".operations." in call.method else name
        if name.startswith("projects/-/serviceAccounts/"):
            return account(name.rsplit("/", 1)[1], world)
        return world.names.canonical(name)
    return world.names.canonical(f"projects/{path.get('projectId') or call.name}")


def attributes(call: Call, world: World) -> Mapping[str, tuple[str, ...]]:
    """What a condition may ask of a call: the roles whose grants `setIamPolicy` changes."""
    if not call.method.endswith(".setIamPolicy"):
        return {}
    before = world.cloud.policy(resource(call, world))[1]["bindings"]
    wanted = call.body.get("policy", call.body).get("bindings", [])

    def grants(bindings: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
        return {
            (binding["role"], member, str((binding.get("condition") or {}).get("expression", "")))
            for binding in bindings
            for member in binding.get("members", [])
        }

    return {MODIFIED_GRANTS: tuple(sorted({role for role, _, _ in grants(before) ^ grants(wanted)}))}


def account(email: str, world: World) -> str:
    """The path of a service account; its project stands in its address, but for the agents of Google's services."""
    email = email.rsplit("/", 1)[-1]
    domain = email.partition("@")[2]
    if domain == "developer.gserviceaccount.com":
        owner = world.cloud.project_of(int(email.partition("-")[0]))
        return f"projects/{owner}/serviceAccounts/{email}"
    return f"projects/{domain.removesuffix('.iam.gserviceaccount.com')}/serviceAccounts/{email}"


def project_of(path: str, world: World) -> str:
    """The project whose APIs a call to `path` uses; empty for what lies in none."""
    if path.startswith("b/"):
        thing = world.cloud.get("google_storage_bucket", path.partition("/o/")[0])
        return str(thing.attributes.get("project") or "") if thing else ""
    return path.split("/")[1] if path.startswith("projects/") and path.count("/") else ""


def _two(path: str) -> str:
    return "/".join(path.split("/")[:2])


# -- by hand


def _objects_insert(call: Call, world: World) -> Iterator[Demand]:
    """Writing over an object needs to delete it as well. Source: "IAM permissions for JSON methods"."""
    path = resource(call, world)
    bucket, _, name = path.removeprefix("b/").partition("/o/")
    yield ("storage.objects.create",), path
    if name and world.buckets.read(bucket, name) is not None:
        yield ("storage.objects.delete",), path


def _objects_copy(call: Call, world: World) -> Iterator[Demand]:
    if "sourceObject" in call.path:
        yield ("storage.objects.get",), f"b/{call.path['sourceBucket']}/o/{call.path['sourceObject']}"
    for source in call.body.get("sourceObjects", []):
        yield ("storage.objects.get",), f"b/{call.path['destinationBucket']}/o/{source['name']}"
    yield from _objects_insert(call, world)


def _acts_as(
    of: Callable[[dict[str, Any]], str | None], *, by_default: bool
) -> Callable[[Call, World], Iterator[Demand]]:
    """A method that starts something which runs as an account; `by_default` as the project's own, if none is named."""

    def demand(call: Call, world: World) -> Iterator[Demand]:
        path = resource(call, world)
        yield tuple(each for each in permissions(call.method) if each != ACT_AS), path
        number = world.cloud.number_of(project_of(path, world))
        if email := of(call.body) or (f"{number}-compute@developer.gserviceaccount.com" if by_default else None):
            yield (ACT_AS,), account(email, world)

    return demand


def _jobs_insert(call: Call, world: World) -> Iterator[Demand]:
    """A query reads its tables, a load writes one. Tables that only the query names are found by their names in it."""
    project = world.names.canonical(f"projects/{call.path['projectId']}")
    yield ("bigquery.jobs.create",), project
    configuration = call.body.get("configuration", {})
    if load := configuration.get("load"):
        table = load["destinationTable"]
        where = f"projects/{table['projectId']}/datasets/{table['datasetId']}/tables/{table['tableId'].split('$')[0]}"
        yield ("bigquery.tables.get", "bigquery.tables.updateData"), where
        if load.get("createDisposition", "CREATE_IF_NEEDED") == "CREATE_IF_NEEDED" and not world.there(
            "google_bigquery_table", where
        ):
            yield ("bigquery.tables.create",), where.partition("/tables/")[0]
    if query := configuration.get("query"):
        from fonderie.sandbox.rest.bigquery import tables_of

        default = query.get("defaultDataset", {})
        for table_project, dataset, name in tables_of(query["query"], call.path["projectId"], default):
            where = f"projects/{table_project}/datasets/{dataset}"
            if name.upper().startswith("INFORMATION_SCHEMA"):
                yield ("bigquery.tables.get", "bigquery.tables.list"), where
            else:
                yield ("bigquery.tables.getData",), f"{where}/tables/{name}"


def _job(call: Call, world: World) -> Iterator[Demand]:
    """One's own job needs nothing."""
    job = Documents(world.cloud, "bigquery job").get(call.path["jobId"])
    if job is None or call.caller is None or job.get("user_email") != call.caller.email:
        yield ("bigquery.jobs.get",), world.names.canonical(f"projects/{call.path['projectId']}")


def _insert_all(call: Call, world: World) -> Iterator[Demand]:
    yield ("bigquery.tables.updateData",), resource(call, world)


def trigger(world: World, path: str) -> CloudObject | None:
    """A trigger of Cloud Build, by its id or by its name in the location."""
    parent, _, name = path.rpartition("/")
    return world.cloud.live("google_cloudbuild_trigger", path) or next(
        (
            each
            for each in world.cloud.things("google_cloudbuild_trigger")
            if each.path.rpartition("/")[0] == parent and each.attributes.get("name") == name
        ),
        None,
    )


def _run_trigger(call: Call, world: World) -> Iterator[Demand]:
    """Running a trigger is creating a build that runs as the trigger's account."""
    path = resource(call, world)
    yield ("cloudbuild.builds.create",), "/".join(path.split("/")[:2])
    thing = trigger(world, path)
    if thing and thing.attributes.get("service_account"):
        yield (ACT_AS,), account(thing.attributes["service_account"], world)


_BY_HAND: dict[str, Callable[[Call, World], Iterator[Demand]]] = {
    "storage.objects.insert": _objects_insert,
    "storage.objects.copy": _objects_copy,
    "storage.objects.rewrite": _objects_copy,
    "storage.objects.compose": _objects_copy,
    "bigquery.jobs.insert": _jobs_insert,
    "bigquery.jobs.get": _job,
    "bigquery.jobs.getQueryResults": _job,
    "bigquery.tabledata.insertAll": _insert_all,
    "aiplatform.projects.locations.pipelineJobs.create": _acts_as(
        lambda body: body.get("serviceAccount"), by_default=True
    ),
    "aiplatform.projects.locations.endpoints.deployModel": _acts_as(
        lambda body: body.get("deployedModel", {}).get("serviceAccount"), by_default=False
    ),
    "cloudbuild.projects.builds.create": _acts_as(lambda body: body.get("serviceAccount"), by_default=False),
    "cloudbuild.projects.locations.builds.create": _acts_as(lambda body: body.get("serviceAccount"), by_default=False),
    "cloudbuild.projects.locations.triggers.run": _run_trigger,
    "cloudbuild.projects.triggers.run": _run_trigger,
}

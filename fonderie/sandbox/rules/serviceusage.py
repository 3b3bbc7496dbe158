"""An API must be enabled before anything of its service can be made.

Source: Service Usage's "Enabling and disabling services" (error SERVICE_DISABLED), and the recorded `project_service`.
"""

from __future__ import annotations

from fonderie.sandbox.lifecycle.interface import ApiError
from fonderie.sandbox.lifecycle.resource_paths import api_of
from fonderie.sandbox.lifecycle.world import ObjectRequest, World, noun
from fonderie.sandbox.rules.rulebook import LifecycleEvent, rule

ALWAYS_ON = frozenset({"serviceusage.googleapis.com", "cloudbilling.googleapis.com"})
_SOURCE = "https://cloud.google.com/service-usage/docs/enable-disable"


def check_enabled(world: World, type: str, project: str, verb: str) -> None:
    """Raises ApiError, in Google's words, when the API of a type is off."""
    service, title = api_of(type)
    if world.established or not project or service in ALWAYS_ON or is_enabled(world, project, service):
        return
    number = world.cloud.number_of(project)
    raise ApiError.because(
        f"Error {verb} {noun(type)}: googleapi: Error 403: {title} has not been used in project {number} before or it "
        f"is disabled. Enable it by visiting https://console.developers.google.com/apis/api/{service}/overview?project="
        f"{number} then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our "
        "systems and retry., accessNotConfigured",
        f"Details: reason SERVICE_DISABLED, service {service}, consumer projects/{number}.\n"
        f'A google_project_service of "{service}" enables it, and what needs it must depend on that.',
    )


def is_enabled(world: World, project: str, service: str) -> bool:
    """Whether a service is on, for those who come after its enabling has ended."""
    path = f"projects/{project}/services/{service}"
    return world.there("google_project_service", path) and world.in_effect(path)


def stays_enabled(request: ObjectRequest) -> bool:
    """Destroying a project_service does nothing unless `disable_on_destroy` is true in the state."""
    return request.type == "google_project_service" and request.state.get("disable_on_destroy") is not True


@rule(LifecycleEvent.CREATED, "google_project_service", source=_SOURCE)
def an_enabled_api_takes_requests_late(request: ObjectRequest) -> None:
    """An API that was just enabled refuses requests until that has reached all of Google (`--propagation`)."""
    request.world.note_making(request.path)


@rule(LifecycleEvent.DELETE, "google_project_service", source=_SOURCE)
def a_service_in_use_is_not_disabled(request: ObjectRequest) -> None:
    """Disabling a service that others need is refused unless `disable_dependent_services` says otherwise."""
    service = request.state.get("service")
    if request.state.get("disable_dependent_services") is True or not request.fresh:
        return
    needed = _NEEDED_BY.get(str(service), ())
    for other in needed:
        if is_enabled(request.world, request.project, other):
            raise request.error(
                400,
                f"The service {service} is depended on by the following active service(s): {other}; "
                "Please specify disable_dependent_services=true if you want to proceed with disabling all services.",
                "failedPrecondition",
                verb="deleting",
            )


_NEEDED_BY = {
    "compute.googleapis.com": ("container.googleapis.com", "servicenetworking.googleapis.com"),
    "iam.googleapis.com": ("container.googleapis.com",),
    "pubsub.googleapis.com": ("eventarc.googleapis.com",),
}

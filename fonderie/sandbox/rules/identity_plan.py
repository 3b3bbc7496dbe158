"""Plans of service accounts, identity pools, projects, keys and fleets: names known or refused before the apply."""

from __future__ import annotations

from fonderie.sandbox.lifecycle.interface import Diagnostic, State
from fonderie.sandbox.planning.equivalence import duration_s
from fonderie.sandbox.planning.type_rules import Situation, TypeRules
from fonderie.sandbox.planning.validation import error

_LEAST_ROTATION_S = 86400


def _account_wanted(prior: State | None, wanted: State, given: State) -> State:
    """The address of a service account is known from its id and project."""
    account, project = wanted.get("account_id"), wanted.get("project")
    if not isinstance(account, str) or not isinstance(project, str):
        return wanted
    if prior is not None and (prior.get("account_id"), prior.get("project")) == (account, project):
        return wanted
    # example.com:project is a project of a domain; in an address it is project.example.com
    email = f"{account}@{'.'.join(reversed(project.split(':')))}.iam.gserviceaccount.com"
    return {**wanted, "email": email, "member": f"serviceAccount:{email}"}


def _check_pool(name: str) -> TypeRules:
    def check(config: State) -> list[Diagnostic]:
        value = config.get(name)
        if isinstance(value, str) and value.startswith("gcp-"):
            return [error(f'"{name}" ("{value}") can not start with "gcp-"', path=(name,))]
        return []

    return TypeRules(check=check)


def _check_key(config: State) -> list[Diagnostic]:
    period = config.get("rotation_period")
    if not isinstance(period, str) or period == "":
        return []
    seconds = duration_s(period)
    if seconds is None or seconds < _LEAST_ROTATION_S:
        return [error(f"rotation period must be greater than {_LEAST_ROTATION_S} seconds", path=("rotation_period",))]
    return []


def _same_without_host(situation: Situation) -> bool:
    def path(link: str) -> str:
        return link.removeprefix("//container.googleapis.com/").removeprefix("https://container.googleapis.com/v1/")

    return path(situation.old) == path(situation.new)


def _folder_number(prior: State | None, wanted: State, given: State) -> State:
    folder = wanted.get("folder_id")
    return {**wanted, "folder_id": folder.removeprefix("folders/")} if isinstance(folder, str) else wanted


PLANS = {
    "google_service_account": TypeRules(adjust=_account_wanted),
    "google_iam_workload_identity_pool": _check_pool("workload_identity_pool_id"),
    "google_iam_workload_identity_pool_provider": _check_pool("workload_identity_pool_provider_id"),
    "google_kms_crypto_key": TypeRules(check=_check_key),
    "google_gke_hub_membership": TypeRules(same={"endpoint.gke_cluster.resource_link": _same_without_host}),
    "google_project": TypeRules(adjust=_folder_number),
}

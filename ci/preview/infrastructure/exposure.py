"""What opens something without being a grant: an address range, an endpoint, a list of its own, a denial that goes.

Each type has its function: from the values before and after to what is done (verb), to what, and why it matters. Only
an effect counts: what was as open before is left out. Sources: the provider's pages of these types.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ci.preview.infrastructure.block import at, every, true
from ci.preview.masking.patterns import HIDDEN
from ci.preview.masking.printable import WHOLE, folded
from ci.preview.masking.values import Reader, same, shown
from ci.preview.report import Grant
from fonderie.terraform.plan import Action, ResourceChange, StackPlan

Values = dict[str, Any]
Opened = Iterator[tuple[str, str, str]]  # verb, what, alarm
Seen = Callable[[str], str]

_LARGE = 2**24  # public addresses: as many as a /8 has
_V6_SHIFT = 72  # a /8 of IPv6 stands for a /8 of IPv4 ranges of networks (/56)
_MOST = 20


def exposures(change: ResourceChange, plan: StackPlan, reader: Reader) -> Iterator[Grant]:
    """What of a change opens something, or closes less, as alarms."""
    if change.action is Action.FORGET:
        return
    before = change.before if isinstance(change.before, dict) else {}
    after = change.after if isinstance(change.after, dict) and change.action is not Action.DESTROY else {}
    rules = [*(rule for pattern, rule in _RULES if re.fullmatch(pattern, change.type)), *_ALWAYS]
    for rule in rules:
        for verb, what, alarm in rule(_Sides(change, before, after, reader)):
            yield Grant(
                environment=plan.environment,
                stack=plan.stack,
                address=reader.address(change.address),
                subject="",
                verb=verb,
                role=folded(what),
                resource=reader.address(change.address),
                alarm=alarm,
            )


class _Sides:
    """A change's values on both sides, and what may be seen of those after it."""

    def __init__(self, change: ResourceChange, before: Values, after: Values, reader: Reader) -> None:
        self.type, self.action = change.type, change.action
        self.before, self.after = before, after
        self._change, self._reader = change, reader

    @property
    def destroyed(self) -> bool:
        """Whether nothing is there afterwards."""
        return self.action is Action.DESTROY

    @property
    def made(self) -> bool:
        """Whether another object is there afterwards."""
        return self.action in (Action.CREATE, Action.REPLACE)

    def seen(self, name: str, otherwise: str = HIDDEN) -> str:
        """What may be seen of an attribute after it."""
        tree = self._reader.tree(self._change.after, self._change.mask, self._change.unknown)
        return shown(tree[name], WHOLE) if isinstance(tree, dict) and name in tree else otherwise

    def one(self, path: str) -> tuple[Any, Any]:
        """The first value at a path, before and after."""
        return at(self.before, path), at(self.after, path)

    def all(self, path: str) -> tuple[list[Any], list[Any]]:
        """Every value at a path, before and after."""
        return every(self.before, path), every(self.after, path)

    def comes_on(self, path: str) -> bool:
        """True after, and not before."""
        before, after = self.one(path)
        return true(after) and not true(before)

    def goes_off(self, path: str) -> bool:
        """True before, and not after; what is destroyed closes nothing any more, and opens nothing."""
        before, after = self.one(path)
        return true(before) and not true(after) and not self.destroyed

    def becomes(self, path: str, *values: str) -> bool:
        """One of these values after, and another before."""
        before, after = self.one(path)
        return after in values and before not in values


def open_addresses(ranges: Iterable[Any]) -> int:
    """How many public addresses of the internet some ranges cover together, an IPv6 network counting as one.

    What is private by RFC 1918 or local counts for nothing, however large.
    """
    networks: dict[int, list[Any]] = {4: [], 6: []}
    for item in ranges:
        try:
            network = ipaddress.ip_network(str(item).strip(), strict=False)
        except ValueError:
            continue
        if not network.is_private or network.prefixlen == 0:
            networks[network.version].append(network)
    v4: int = sum(network.num_addresses for network in ipaddress.collapse_addresses(networks[4]))
    v6: int = sum(network.num_addresses >> _V6_SHIFT for network in ipaddress.collapse_addresses(networks[6]))
    return v4 + v6


def _reach(before: Iterable[Any], after: Iterable[Any]) -> str:
    """An alarm when more of the internet gets in than before, and much of it."""
    old, new = open_addresses(before), open_addresses(after)
    if new < _LARGE or new <= old:
        return ""
    share = min(100, round(100 * new / 2**32))
    return "OPEN TO THE WORLD" if share >= 99 else f"OPEN TO {max(share, 1)} % OF THE INTERNET"


def _firewall(sides: _Sides) -> Opened:
    before, after = _sources(sides.before), _sources(sides.after)
    allows = bool(sides.after.get("allow"))
    if allows and (alarm := _reach(before if same(*sides.all("allow")) else (), after)):
        yield "opens", sides.seen("allow"), alarm
    if sides.before.get("deny") and not true(sides.before.get("disabled")):
        gone = sides.destroyed or true(sides.after.get("disabled"))
        if gone or open_addresses(_sources(sides.after, "deny")) < open_addresses(_sources(sides.before, "deny")):
            yield "lifts", "what the firewall denied", "a DENIAL goes"


def _sources(value: Values, kind: str = "allow") -> list[Any]:
    """The ranges that a firewall rule lets in; a rule that names no source takes all of them."""
    if value.get("direction") not in (None, "INGRESS") or true(value.get("disabled")) or not value.get(kind):
        return []
    named = value.get("source_ranges")
    if not named and (value.get("source_tags") or value.get("source_service_accounts")):
        return []
    return named if isinstance(named, list) and named else ["0.0.0.0/0"]


def _policy_rule(sides: _Sides) -> Opened:
    def ranges(value: Values, action: str) -> list[Any]:
        if value.get("action") != action or value.get("direction") != "INGRESS" or true(value.get("disabled")):
            return []
        return every(value, "match.src_ip_ranges") or every(value, "match.config.src_ip_ranges")

    if alarm := _reach(ranges(sides.before, "allow"), ranges(sides.after, "allow")):
        yield "opens", sides.seen("match"), alarm
    if open_addresses(ranges(sides.after, "deny")) < open_addresses(ranges(sides.before, "deny")):
        yield "lifts", "what the firewall policy denied", "a DENIAL goes"


def _cluster(sides: _Sides) -> Opened:
    listed = "master_authorized_networks_config.cidr_blocks.cidr_block"
    before, after = sides.all(listed)
    had, has = (bool(value.get("master_authorized_networks_config")) for value in (sides.before, sides.after))
    if alarm := _reach(before if had else ["0.0.0.0/0"] if sides.before else (), after):
        yield "opens", "the control plane", alarm
    elif not sides.destroyed and not has and (had or not sides.before) and not true(
        at(sides.after, "private_cluster_config.enable_private_endpoint")
    ):  # fmt: skip
        yield "opens", "the control plane", "OPEN TO THE WORLD: no authorised networks"
    for path, what in (
        ("private_cluster_config.enable_private_endpoint", "the control plane's private endpoint"),
        ("private_cluster_config.enable_private_nodes", "the nodes' private addresses"),
        ("network_policy.enabled", "the network policy between pods"),
        ("node_config.shielded_instance_config.enable_secure_boot", "secure boot"),
    ):
        if sides.goes_off(path):
            yield "lifts", what, "reachable or changeable from more places"
    if sides.comes_on("control_plane_endpoints_config.dns_endpoint_config.allow_external_traffic"):
        yield "opens", "the control plane's DNS name", "OPEN TO THE WORLD for who has an account"
    if sides.comes_on("enable_legacy_abac"):
        yield "opens", "legacy ABAC", "every account of the cluster may do much more"
    if every(sides.before, "workload_identity_config.workload_pool") and not sides.destroyed and not every(
        sides.after, "workload_identity_config.workload_pool"
    ):  # fmt: skip
        yield "lifts", "Workload Identity", "every pod acts as its node"
    if sides.becomes("database_encryption.state", "DECRYPTED"):
        yield "lifts", "the encryption of secrets", "secrets of the cluster stand in clear"
    if sides.becomes("binary_authorization.evaluation_mode", "DISABLED"):
        yield "lifts", "binary authorisation", "ANY IMAGE may run"


def _sql(sides: _Sides) -> Opened:
    path = "settings.ip_configuration.authorized_networks.value"
    if alarm := _reach(*sides.all(path)):
        yield "opens", "the database", alarm
    if sides.comes_on("settings.ip_configuration.ipv4_enabled"):
        yield "opens", "a public address of the database", "reachable from the internet, as far as networks are listed"
    if sides.becomes("settings.ip_configuration.ssl_mode", "ALLOW_UNENCRYPTED_AND_ENCRYPTED") or sides.goes_off(
        "settings.ip_configuration.require_ssl"
    ):
        yield "lifts", "encryption on the way", "passwords and rows can be read on the way"


def _service(sides: _Sides) -> Opened:
    for path in ("ingress", "service_config.ingress_settings", "ingress_settings"):
        before, after = sides.one(path)
        if after in ("INGRESS_TRAFFIC_ALL", "ALLOW_ALL", "all") and before != after:
            yield "opens", "the service's ingress", "reachable from THE INTERNET"
    if sides.comes_on("invoker_iam_disabled"):
        yield "lifts", "the invoker check", "PUBLIC: anybody may call it"


def _bucket(sides: _Sides) -> Opened:
    before, after = sides.one("public_access_prevention")
    if before == "enforced" and after != "enforced" and not sides.destroyed:
        yield "lifts", "public access prevention", "may become PUBLIC"
    if sides.goes_off("uniform_bucket_level_access"):
        yield "lifts", "uniform access", "objects may have their own access lists"
    if (
        every(sides.before, "logging.log_bucket")
        and not sides.destroyed
        and not every(sides.after, "logging.log_bucket")
    ):
        yield "lifts", "the access log", "who reads and writes is not recorded any more"


def _listed(sides: _Sides) -> Opened:
    """Access lists that are not IAM: a dataset's `access`, a bucket's or object's entities, predefined lists."""
    if _public(sides.after) and not _public(sides.before):
        yield "lets in", "the public", "PUBLIC"


def _public(value: Values) -> bool:
    keys = ("access", "entity", "special_group", "role_entity", "predefined_acl", "default_acl")
    watched = {key: value[key] for key in keys if value.get(key)}
    try:
        text = json.dumps(watched) if watched else ""
    except (RecursionError, ValueError):
        return False
    return re.search(r"\ball(Authenticated)?Users\b|\"publicRead|\bdomain[-:]gmail\.com\b", text) is not None


def _credential(sides: _Sides) -> Opened:
    what = {"google_service_account_key": "a service account key", "google_storage_hmac_key": "an HMAC key"}
    if sides.made:
        yield "makes", what[sides.type], "a KEY that does not expire and can be copied"


def _api_key(sides: _Sides) -> Opened:
    if sides.after and not every(sides.after, "restrictions") and (sides.made or every(sides.before, "restrictions")):
        yield "makes", "an API key for everything", "a KEY without restrictions"


def _provider(sides: _Sides) -> Opened:
    if not sides.after:
        return
    before, after = sides.one("attribute_condition")
    if sides.before and not same(before, after):
        condition = sides.seen("attribute_condition", "no condition")
        yield "trusts", f"tokens under {condition}", "who may come in from outside changes"
    elif not sides.before and not after and not sides.seen("attribute_condition", "").startswith("(known"):
        yield "trusts", "every token of the issuer", "NO CONDITION: anybody whom the issuer knows"
    for name in ("oidc", "saml", "aws", "attribute_mapping"):
        if sides.before and not same(sides.before.get(name), sides.after.get(name)):
            yield "trusts", f"{name}: {sides.seen(name)}", "who may come in from outside changes"


def _enabled_again(sides: _Sides) -> Opened:
    if sides.goes_off("disabled"):
        yield "opens", "sign-in from outside", "it was disabled"


def _role(sides: _Sides) -> Opened:
    old, new = sides.all("permissions")
    added = [item for item in new if isinstance(item, str) and item not in old][:_MOST]
    if added:
        may_be_seen = sides.seen("permissions", "")
        told = [name for name in added if f'"{name}"' in may_be_seen]
        yield "adds", ", ".join(told) or HIDDEN, "the role allows more" if sides.before else ""


def _deny_policy(sides: _Sides) -> Opened:
    denied, exempt = "rules.deny_rule.denied_permissions", "rules.deny_rule.exception_principals"
    if sides.destroyed:
        yield "lifts", "a deny policy", "a DENIAL goes"
    elif _fewer(*sides.all(denied)) or (sides.before and _fewer(*reversed(sides.all(exempt)))):
        yield "lifts", "part of a deny policy", "a DENIAL goes, or more are exempt from it"


def _audit(sides: _Sides) -> Opened:
    logged, exempt = "audit_log_config.log_type", "audit_log_config.exempted_members"
    if sides.destroyed or _fewer(*sides.all(logged)):
        yield "lifts", "an audit log", "who reads and writes is NOT RECORDED any more"
    elif sides.before and _fewer(*reversed(sides.all(exempt))):
        yield "lifts", "an audit log of some", "what they do is NOT RECORDED any more"


def _guard(sides: _Sides) -> Opened:
    if sides.destroyed:
        yield "lifts", sides.type.removeprefix("google_").replace("_", " "), "what it forbade is allowed"


def _org_policy(sides: _Sides) -> Opened:
    yield from _guard(sides)
    for path in ("spec.rules.enforce", "boolean_policy.enforced"):
        before, after = sides.all(path)
        if sides.after and any(map(true, before)) and not any(map(true, after)):
            yield "lifts", "an organisation policy", "what it forbade is allowed"
    if any(map(true, every(sides.after, "spec.rules.allow_all"))) and not any(
        map(true, every(sides.before, "spec.rules.allow_all"))
    ):
        yield "lifts", "an organisation policy", "ALL values are allowed"


def _perimeter(sides: _Sides) -> Opened:
    yield from _guard(sides)
    if sides.after and _fewer(*sides.all("status.restricted_services")):
        yield "lifts", "services out of the perimeter", "reachable from outside the perimeter"


def _machine(sides: _Sides) -> Opened:
    old, new = (every(value, "network_interface.access_config") for value in (sides.before, sides.after))
    if new and not old:
        yield "opens", "an external address", "reachable from the internet, as far as a firewall allows"
    if sides.goes_off("gce_setup.disable_public_ip") or sides.goes_off("no_public_ip"):
        yield "opens", "an external address", "reachable from the internet, as far as a firewall allows"


def _endpoint(sides: _Sides) -> Opened:
    for path in ("network", "private_service_connect_config.enable_private_service_connect"):
        before, after = sides.one(path)
        if before and not after and not sides.destroyed:
            yield "opens", "a private endpoint", "reachable from THE INTERNET for who has an account"


def _destination(sides: _Sides) -> Opened:
    """Where data is sent on: a sink, a push subscription, a notification."""
    for path in ("destination", "push_config.push_endpoint", "bigquery_config.table", "cloud_storage_config.bucket"):
        before, after = sides.one(path)
        if sides.before and after and not same(before, after):
            yield "sends", f"to {sides.seen(path.partition('.')[0])}", "data goes to ANOTHER PLACE"


def _armour(sides: _Sides) -> Opened:
    before, after = sides.one("security_policy")
    if before and not after and not sides.destroyed:
        yield "lifts", "the security policy of the service", "what it kept out gets in"


def _peering(sides: _Sides) -> Opened:
    if sides.made:
        yield "opens", "the network to another", "each reaches the other's addresses"


def _binary(sides: _Sides) -> Opened:
    path = "default_admission_rule.evaluation_mode"
    if sides.destroyed or sides.becomes(path, "ALWAYS_ALLOW"):
        yield "lifts", "binary authorisation", "ANY IMAGE may run"


def _fewer(before: list[Any], after: list[Any]) -> bool:
    return any(item not in after for item in before)


def _ranges(sides: _Sides) -> Opened:
    """Lists of ranges of a type that has no rule here."""
    if any(re.fullmatch(pattern, sides.type) for pattern, _ in _RULES):
        return
    for key in ("authorized_networks", "source_ranges", "allowed_ip_ranges", "authorized_external_networks"):
        ranges = [_texts(value.get(key)) for value in (sides.before, sides.after)]
        if alarm := _reach(*ranges):
            yield "opens", key, alarm


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inner for text in _texts(item)]


_RULES: tuple[tuple[str, Callable[[_Sides], Opened]], ...] = (
    ("google_compute_firewall", _firewall),
    (r"google_compute_(\w+_)?firewall_policy_rule", _policy_rule),
    ("google_container_cluster", _cluster),
    ("google_sql_database_instance", _sql),
    (r"google_cloud_run_v2_(service|worker_pool)|google_cloudfunctions2?_function", _service),
    ("google_storage_bucket", _bucket),
    (r"google_bigquery_dataset(_access)?|google_storage_\w*(acl|access_control|bucket|object)", _listed),
    ("google_service_account_key|google_storage_hmac_key", _credential),
    ("google_apikeys_key", _api_key),
    (r"google_iam_work(load|force)_(identity_)?pool_provider", _provider),
    (r"google_iam_work(load|force)_(identity_)?pool(_provider)?", _enabled_again),
    (r"google_(project|organization)_iam_custom_role", _role),
    ("google_iam_deny_policy", _deny_policy),
    (r"google_\w+_iam_audit_config", _audit),
    (r"google_org_policy_policy|google_\w+_organization_policy", _org_policy),
    (r"google_access_context_manager_service_perimeter\w*", _perimeter),
    (r"google_iam_(principal_)?access_boundary_policy|google_iam_\w+_policy_binding|google_compute_security_policy\w*",
     _guard),
    (r"google_compute_instance(_template)?|google_workbench_instance|google_notebooks_instance", _machine),
    (r"google_vertex_ai_(endpoint|index_endpoint)", _endpoint),
    (r"google_logging_\w*sink|google_pubsub_subscription", _destination),
    (r"google_compute_\w*backend_(service|bucket)", _armour),
    ("google_compute_network_peering", _peering),
    ("google_binary_authorization_policy", _binary),
)  # fmt: skip
_ALWAYS = (_ranges,)

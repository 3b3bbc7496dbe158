"""What opens something: each case alarms, its way back does not, and neither does the same once more."""

import pytest

from ci.preview.infrastructure.exposure import open_addresses
from tests.unit.ci.preview.plans import change, comment, preview

RULE = {"allow": [{"protocol": "tcp"}], "direction": "INGRESS"}
CLUSTER = "google_container_cluster.c"


def networks(*ranges):
    blocks = [{"cidr_block": item, "display_name": "x"} for item in ranges]
    return {"master_authorized_networks_config": [{"cidr_blocks": blocks}]}


def private(**more):
    return {**networks("10.0.0.0/8"), "private_cluster_config": [more]}


def sql(**more):
    return {"settings": [{"ip_configuration": [more]}]}


def policy_rule(ranges, action="allow"):
    return {"action": action, "direction": "INGRESS", "match": [{"src_ip_ranges": ranges}]}


def denied(*permissions, exempt=()):
    rule = {"denied_permissions": list(permissions), "exception_principals": list(exempt)}
    return {"rules": [{"deny_rule": [rule]}]}


OPENED = {
    "firewall": ("google_compute_firewall.f", {**RULE, "source_ranges": ["10.0.0.0/8"]},
                 {**RULE, "source_ranges": ["0.0.0.0/0"]}),
    "firewall in halves": ("google_compute_firewall.f", {**RULE, "source_ranges": ["10.0.0.0/8"]},
                           {**RULE, "source_ranges": ["0.0.0.0/1", "128.0.0.0/1"]}),
    "firewall in quarters": ("google_compute_firewall.f", {**RULE, "source_ranges": ["203.0.113.0/24"]},
                             {**RULE, "source_ranges": ["64.0.0.0/2", "128.0.0.0/2"]}),
    "firewall of IPv6": ("google_compute_firewall.f", {**RULE, "source_ranges": ["fd00::/8"]},
                         {**RULE, "source_ranges": ["2000::/3"]}),
    "firewall without a source": ("google_compute_firewall.f", {**RULE, "source_tags": ["web"]}, RULE),
    "firewall policy": ("google_compute_network_firewall_policy_rule.r", policy_rule(["10.0.0.0/8"]),
                        policy_rule(["0.0.0.0/0"])),
    "hierarchical policy": ("google_compute_firewall_policy_rule.r", policy_rule(["10.0.0.0/8"]),
                            policy_rule(["0.0.0.0/1", "128.0.0.0/1"])),
    "policy denial": ("google_compute_network_firewall_policy_rule.r", policy_rule(["0.0.0.0/0"], "deny"),
                      policy_rule(["198.18.0.0/15"], "deny")),
    "control plane": (CLUSTER, networks("192.0.2.0/24"), networks("0.0.0.0/0")),
    "control plane in halves": (CLUSTER, networks("192.0.2.0/24"), networks("0.0.0.0/1", "128.0.0.0/1")),
    "no authorised networks": (CLUSTER, networks("192.0.2.0/24"), {}),
    "public endpoint": (CLUSTER, private(enable_private_endpoint=True), private(enable_private_endpoint=False)),
    "public nodes": (CLUSTER, private(enable_private_nodes=True), private(enable_private_nodes=False)),
    "workload identity": (CLUSTER, {"workload_identity_config": [{"workload_pool": "p.svc.id.goog"}], **private()},
                          private()),
    "secrets of a cluster": (CLUSTER, {"database_encryption": [{"state": "ENCRYPTED"}], **private()},
                             {"database_encryption": [{"state": "DECRYPTED"}], **private()}),
    "database networks": ("google_sql_database_instance.s", sql(authorized_networks=[{"value": "192.0.2.1"}]),
                          sql(authorized_networks=[{"value": "0.0.0.0/0"}])),
    "database address": ("google_sql_database_instance.s", sql(ipv4_enabled=False), sql(ipv4_enabled=True)),
    "service ingress": ("google_cloud_run_v2_service.s", {"ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"},
                        {"ingress": "INGRESS_TRAFFIC_ALL"}),
    "bucket list": ("google_storage_bucket_acl.a", {"role_entity": ["OWNER:project-owners-1"]},
                    {"role_entity": ["OWNER:project-owners-1", "READER:allUsers"]}),
    "default list": ("google_storage_default_object_acl.a", {"role_entity": []},
                     {"role_entity": ["READER:allAuthenticatedUsers"]}),
    "predefined list": ("google_storage_bucket_acl.a", {"predefined_acl": "private"}, {"predefined_acl": "publicRead"}),
    "object entity": ("google_storage_object_access_control.a", {"entity": "user-a@x.io"}, {"entity": "allUsers"}),
    "pool provider": ("google_iam_workload_identity_pool_provider.p", {"attribute_condition": "a"},
                      {"attribute_condition": None}),
    "issuer": ("google_iam_workload_identity_pool_provider.p", {"oidc": [{"issuer_uri": "https://a"}]},
               {"oidc": [{"issuer_uri": "https://b"}]}),
    "pool again": ("google_iam_workload_identity_pool.p", {"disabled": True}, {"disabled": False}),
    "permissions": ("google_project_iam_custom_role.r", {"permissions": ["a.b"]}, {"permissions": ["a.b", "c.d"]}),
    "deny policy": ("google_iam_deny_policy.d", denied("a/b", "c/d"), denied("a/b")),
    "exempt from denial": ("google_iam_deny_policy.d", denied("a/b"), denied("a/b", exempt=["principal://x"])),
    "audit": ("google_project_iam_audit_config.a", {"audit_log_config": [{"log_type": "DATA_READ"}]},
              {"audit_log_config": []}),
    "exempt from audit": ("google_project_iam_audit_config.a",
                          {"audit_log_config": [{"log_type": "DATA_READ", "exempted_members": []}]},
                          {"audit_log_config": [{"log_type": "DATA_READ", "exempted_members": ["user:a@x.io"]}]}),
    "organisation policy": ("google_org_policy_policy.p", {"spec": [{"rules": [{"enforce": "TRUE"}]}]},
                            {"spec": [{"rules": [{"enforce": "FALSE"}]}]}),
    "perimeter": ("google_access_context_manager_service_perimeter.p",
                  {"status": [{"restricted_services": ["storage", "bigquery"]}]},
                  {"status": [{"restricted_services": ["storage"]}]}),
    "external address": ("google_compute_instance.i", {"network_interface": [{"access_config": []}]},
                         {"network_interface": [{"access_config": [{"nat_ip": "x"}]}]}),
    "notebook": ("google_workbench_instance.w", {"gce_setup": [{"disable_public_ip": True}]},
                 {"gce_setup": [{"disable_public_ip": False}]}),
    "binary authorisation": ("google_binary_authorization_policy.b",
                             {"default_admission_rule": [{"evaluation_mode": "ALWAYS_DENY"}]},
                             {"default_admission_rule": [{"evaluation_mode": "ALWAYS_ALLOW"}]}),
    "a type without a rule": ("google_thing_gateway.g", {"source_ranges": ["10.0.0.0/8"]},
                              {"source_ranges": ["0.0.0.0/0"]}),
}  # fmt: skip
DIFFERENT_IS_OPEN = ("pool provider", "issuer")  # who may come in changes, in both directions


def alarms(address, action, before, after):
    return [grant.alarm for grant in preview(change(address, action, before, after)).access if grant.alarm]


@pytest.mark.parametrize("case", OPENED)
def test_what_opens_is_an_alarm_in_the_first_line_and_what_closes_is_none(case):
    address, before, after = OPENED[case]
    assert len(alarms(address, "update", before, after)) == 1
    assert "⚠️" in comment(change(address, "update", before, after)).split("\n")[2]
    if case not in DIFFERENT_IS_OPEN:
        assert alarms(address, "update", after, before) == []
    assert alarms(address, "update", {**after, "labels": {"a": "b"}}, after) == []


GONE = {
    "deny policy": ("google_iam_deny_policy.d", denied("a/b")),
    "audit": ("google_project_iam_audit_config.a", {"audit_log_config": [{"log_type": "DATA_READ"}]}),
    "denying firewall": ("google_compute_firewall.f", {"deny": [{"protocol": "all"}], "source_ranges": ["0.0.0.0/0"]}),
    "policy denial": ("google_compute_network_firewall_policy_rule.r", policy_rule(["0.0.0.0/0"], "deny")),
    "organisation policy": ("google_org_policy_policy.p", {"spec": [{"rules": [{"enforce": "TRUE"}]}]}),
    "perimeter": ("google_access_context_manager_service_perimeter.p", {}),
    "boundary": ("google_iam_principal_access_boundary_policy.b", {}),
    "security policy": ("google_compute_security_policy.s", {}),
}


@pytest.mark.parametrize("case", GONE)
def test_a_denial_or_a_record_that_goes_is_an_alarm(case):
    address, before = GONE[case]
    assert len(alarms(address, "delete", before, None)) == 1


@pytest.mark.parametrize("case", ["firewall", "control plane", "database networks", "external address"])
def test_the_destroy_of_what_is_open_is_none(case):
    address, _, after = OPENED[case]
    assert alarms(address, "delete", after, None) == []


@pytest.mark.parametrize(
    ("ranges", "addresses"),
    [
        (["0.0.0.0/0"], 2**32),
        (["0.0.0.0/1", "128.0.0.0/1", "128.0.0.0/2"], 2**32),
        (["8.0.0.0/8"], 2**24),
        (["10.0.0.0/8", "192.168.0.0/16", "fd00::/8", "nonsense", None], 0),
        (["8.8.8.8"], 1),
        (["::/0"], 2**56),
    ],
)
def test_how_much_of_the_internet_some_ranges_cover(ranges, addresses):
    assert open_addresses(ranges) == addresses


POOL = "iam.googleapis.com/projects/412/locations/global/workloadIdentityPools/prod-git"
ACCOUNT = {"service_account_id": "projects/acme/serviceAccounts/apply@acme.iam.gserviceaccount.com"}
SOMEBODY = {"member": "user:a@x.io"}
EFFECTS = {
    "organisation admin": ("google_organization_iam_member.m",
                           {"org_id": "1", "role": "roles/resourcemanager.organizationAdmin", **SOMEBODY},
                           "administers the whole organization"),
    "folder admin": ("google_folder_iam_member.m",
                     {"folder": "folders/1", "role": "roles/resourcemanager.folderAdmin", **SOMEBODY},
                     "administers the whole folder"),
    "owner of an organisation": ("google_organization_iam_member.m",
                                 {"org_id": "1", "role": "roles/owner", **SOMEBODY}, "PRIMITIVE ROLE"),
    "user of accounts": ("google_project_iam_member.m",
                         {"project": "p", "role": "roles/iam.serviceAccountUser", **SOMEBODY},
                         "can act as every service account of the project"),
    "user of one account": ("google_service_account_iam_member.m",
                            {**ACCOUNT, "role": "roles/iam.serviceAccountUser", **SOMEBODY}, "can ACT AS it"),
    "tokens": ("google_service_account_iam_member.m",
               {**ACCOUNT, "role": "roles/iam.serviceAccountTokenCreator", **SOMEBODY}, "can ACT AS it"),
    "machines": ("google_project_iam_member.m", {"project": "p", "role": "roles/compute.instanceAdmin.v1", **SOMEBODY},
                 "can run code as the accounts of the project's machines"),
    "grants": ("google_project_iam_member.m", {"project": "p", "role": "roles/resourcemanager.projectIamAdmin",
                                               **SOMEBODY}, "can GRANT any role"),
    "whole pool": ("google_service_account_iam_member.m",
                   {**ACCOUNT, "role": "roles/iam.workloadIdentityUser", "member": f"principalSet://{POOL}/*"},
                   "EVERY identity of the pool"),
    "gmail": ("google_storage_bucket_iam_member.m", {"bucket": "b", "role": "roles/storage.objectViewer",
                                                     "member": "domain:gmail.com"}, "PUBLIC"),
    "a domain": ("google_storage_bucket_iam_member.m", {"bucket": "b", "role": "roles/storage.objectViewer",
                                                        "member": "domain:acme.com"}, "everybody of acme.com"),
}  # fmt: skip


@pytest.mark.parametrize("case", EFFECTS)
def test_a_grant_is_an_alarm_by_its_effect(case):
    address, values, said = EFFECTS[case]
    (alarm,) = alarms(address, "create", None, values)
    assert said in alarm
    assert alarms(address, "delete", values, None) == []


def test_one_repository_of_a_pool_is_told_whole_and_on_what():
    member = f"principalSet://{POOL}/attribute.repository/acme/fonderie"
    grant = change("google_service_account_iam_member.m", "create", None,
                   {"member": member, "role": "roles/iam.workloadIdentityUser"},
                   unknown={"service_account_id": True})  # fmt: skip
    refers = {"service_account_id": {"references": ["google_service_account.apply.name",
                                                    "google_service_account.apply"]}}  # fmt: skip
    configuration = {"root_module": {"resources": [
        {"address": "google_service_account_iam_member.m", "expressions": refers}]}}  # fmt: skip
    text = comment(grant, configuration=configuration)
    assert "`federated prod-git/attribute.repository/acme/fonderie` gains" in text
    assert "on service account `google_service_account.apply (known after apply)`" in text


def test_two_agents_and_an_account_of_another_project_can_be_told_apart():
    members = ["serviceAccount:service-412@container-engine-robot.iam.gserviceaccount.com",
               "serviceAccount:service-412@gcp-sa-cloudbuild.iam.gserviceaccount.com",
               "serviceAccount:train@evil.iam.gserviceaccount.com",
               "serviceAccount:train@acme.iam.gserviceaccount.com"]  # fmt: skip
    grants = [
        change(f"google_project_iam_member.m{index}", "create", None,
               {"project": "acme", "role": "roles/x.user", "member": member})
        for index, member in enumerate(members)
    ]  # fmt: skip
    assert {grant.subject for grant in preview(*grants).access} == {
        "agent container-engine-robot", "agent cloudbuild", members[2], "train"}  # fmt: skip

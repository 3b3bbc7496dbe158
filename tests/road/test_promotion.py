"""Promotion: the digests that dev runs move to staging, whose identities pull them from the one registry."""

from __future__ import annotations

import tomllib

import pytest

from ci.manifests import BESIDE
from ci.promote import prepare, promotion
from fonderie.core.errors import RefusedError
from fonderie.google import Access
from fonderie.google.artifacts import OciImage, exists, push
from fonderie.sandbox.iam.caller import Caller, identity
from infra import names
from infra.settings import load_environment
from infra.stacks.data import IMAGE_READERS
from tests.road.git_host import GitHost, git
from tests.road.project import Project

pytestmark = pytest.mark.e2e


@pytest.mark.prove(every=0)
def test_a_promotion_moves_what_dev_runs_and_staging_pulls_it(
    dev: Project, host: GitHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = load_environment("staging")

    def become(who: str | Caller) -> None:
        caller = who if isinstance(who, Caller) else Caller(who)
        monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", dev.rest.tokens.issue(caller))

    become(names.member(dev.env, names.IdentityName.BUILDER))
    registry = names.images_url(dev.env)
    built = {
        image: push(Access(dev.id, endpoint=dev.rest.address), f"{registry}/{image}", OciImage.of({"name": image}))
        for image in ("pipelines", "serving")
    }
    access = Access(dev.id, endpoint=dev.rest.address)
    manifests = {"staging": push(access, f"{registry}/manifests-staging", OciImage.of({"x": "staging"}))}
    noted = {f"{BESIDE}staging": manifests["staging"]}
    manifests["dev"] = push(access, f"{registry}/manifests-dev", OciImage.of({"x": "dev"}, noted))
    before = {"pipelines": dev.env.images.pipelines, "serving": dev.env.images.serving}

    def names_them(text: str) -> str:
        for image, reference in built.items():
            text = text.replace(str(before[image]), reference)
        return text.replace(str(dev.env.kubeflow.manifests), manifests["dev"])

    host.commit({"infra/environments/dev.toml": names_them}, "main")
    become(identity("engineer", dev.id))
    monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", dev.rest.address)
    moved = promotion("dev", "staging", host.laptop)
    commit = prepare(moved, host.laptop, "main")

    assert git(host.laptop, "diff", "--name-only", f"{commit}^", commit) == "infra/environments/staging.toml"
    settings = tomllib.loads(git(host.laptop, "show", f"{commit}:infra/environments/staging.toml"))
    assert {image: settings["images"][image] for image in built} == built
    assert settings["kubeflow"]["manifests"] == manifests["staging"]

    pulling = [names.member(staging, who) for who in IMAGE_READERS]
    for member in [*pulling, names.agent(staging, names.AgentName.AIPLATFORM)]:
        become(member)
        assert all(exists(Access(dev.id, endpoint=dev.rest.address), image) for image in built.values()), member
    become(names.member(staging, names.IdentityName.SCHEDULER))
    with pytest.raises(RefusedError, match="403 Forbidden"):
        exists(Access(dev.id, endpoint=dev.rest.address), built["serving"])

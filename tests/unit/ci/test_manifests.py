"""What Config Sync pulls: rendered by the real Kustomize from our own folders, pushed by the OCI protocol, unpacked."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from ci import manifests
from ci.apply.apply import Applier, refuse_absent
from ci.manifests import KUBERNETES, push_all, render
from fonderie.cli.commands.apply import command
from fonderie.core.errors import BadDataError, BadInputError, RefusedError, StepFailedError
from fonderie.google import Access
from fonderie.google.artifacts import OciImage, digest, exists, push
from infra.names import images_url
from infra.settings import Environment, environment_names, load_environment

# In the shape of Kubeflow Pipelines' own: a namespace, the account that tasks run as, something that runs.
KUBEFLOW = """
apiVersion: v1
kind: Namespace
metadata: { name: kubeflow }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: pipeline-runner, namespace: kubeflow }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: ml-pipeline, namespace: kubeflow }
spec:
  selector: { matchLabels: { app: ml-pipeline } }
  template:
    metadata: { labels: { app: ml-pipeline } }
    spec: { containers: [{ name: ml-pipeline, image: example.test/api-server }] }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Our folders, with a stand-in for what is fetched from Kubeflow's repository."""
    copied = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copied)
    base = copied / "base" / "kustomization.yaml"
    text, count = re.subn(
        r"  - https://\S+cluster-scoped\S+\n  - https://\S+\n", "  - kubeflow.yaml\n", base.read_text()
    )
    assert count == 1
    base.write_text(text)
    (copied / "base" / "kubeflow.yaml").write_text(KUBEFLOW)
    return copied


@pytest.mark.parametrize("name", environment_names())
def test_an_environments_folder_becomes_plain_manifests(name: str, folder: Path) -> None:
    objects = list(yaml.safe_load_all(render(load_environment(name), folder)))

    assert {each["kind"] for each in objects} == {
        "Namespace",
        "ServiceAccount",
        "RoleBinding",
        "Deployment",
        "LimitRange",
    }
    assert "github.com" not in json.dumps(objects)  # nothing is left to be fetched
    spaces = {each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"}
    assert {each["metadata"].get("namespace", "kubeflow") for each in objects} == spaces == {"kubeflow", "serving"}


@pytest.mark.parametrize(
    ("file", "change", "problem"),
    [
        ("base/kubeflow.yaml", ("kind: Deployment", "kind: Kustomization"), "ml-pipeline is not rendered"),
        ("base/limits.yaml", ("namespace: kubeflow", "namespace: nowhere"), "is in nowhere, which nothing makes"),
        (
            "dev/kustomization.yaml",
            ("dev-serving@", "prod-serving@"),
            "service account serving/server is prod-serving@",
        ),
    ],
)
def test_what_config_sync_would_refuse_is_not_pushed(
    file: str, change: tuple[str, str], problem: str, folder: Path
) -> None:
    text = (folder / file).read_text()
    assert change[0] in text
    (folder / file).write_text(text.replace(*change))
    with pytest.raises(BadDataError, match=re.escape(problem)):
        render(load_environment("dev"), folder)


def test_kustomizes_own_words_are_shown(folder: Path) -> None:
    (folder / "base" / "limits.yaml").unlink()
    with pytest.raises(StepFailedError, match=r"limits\.yaml"):
        render(load_environment("dev"), folder)


class Registry(ThreadingHTTPServer):
    """An OCI registry whose tags are immutable, as the distribution specification and Artifact Registry have it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Requests)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.pushes = 0
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class Requests(BaseHTTPRequestHandler):
    server: Registry

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _known(self) -> bytes | None:
        _, kind, name = self.path.rsplit("/", 2)
        store = self.server.blobs if kind == "blobs" else self.server.manifests
        return store.get(self.server.tags.get(name, name))

    def do_HEAD(self) -> None:
        self._answer(404 if self._known() is None else 200)

    def do_GET(self) -> None:
        known = self._known()
        self._answer(404 if known is None else 200, known or b"")

    def do_POST(self) -> None:
        self.server.pushes += 1
        assert self.path.endswith("/blobs/uploads/")
        self._answer(202, Location=f"{self.path}1?state=x")

    def do_PUT(self) -> None:
        self.server.pushes += 1
        data = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlsplit(self.path)
        if "/blobs/uploads/" in parts.path:
            (said,) = parse_qs(parts.query)["digest"]
            if said != digest(data):
                return self._answer(400, b'{"errors": [{"code": "DIGEST_INVALID"}]}')
            self.server.blobs[said] = data
            return self._answer(201)
        document, tag = json.loads(data), parts.path.rpartition("/")[2]
        named = [document["config"], *document["layers"]]
        if not all(len(self.server.blobs.get(each["digest"], b"")) == each["size"] for each in named):
            return self._answer(400, b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN"}]}')
        if self.headers["Content-Type"] != document["mediaType"] or self.server.tags.get(tag, digest(data)) != digest(
            data
        ):
            return self._answer(400, b'{"errors": [{"code": "TAG_INVALID"}]}')
        self.server.tags[tag] = digest(data)
        self.server.manifests[digest(data)] = data
        return self._answer(201)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def unpacked(registry: Registry, reference: str) -> dict[str, str]:
    """As Config Sync does: the layers over one another, each what the configuration says it is."""
    manifest = json.loads(registry.manifests[reference.rpartition("@")[2]])
    config = json.loads(registry.blobs[manifest["config"]["digest"]])
    files = {}
    for layer, said in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
        archive = gzip.decompress(registry.blobs[layer["digest"]])
        assert f"sha256:{hashlib.sha256(archive).hexdigest()}" == said
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar.getmembers():
                file = tar.extractfile(member)
                assert file is not None
                files[member.name] = file.read().decode()
    return files


def test_the_registrys_owner_pushes_for_every_environment_that_pulls(registry: Registry, folder: Path) -> None:
    dev = load_environment("dev")
    access = Access("acme-ml-dev", "europe-west1", endpoint=registry.address)

    references = push_all(dev, access, folder)
    before = registry.pushes
    again = push_all(dev, access, folder)

    assert list(references) == ["dev", "staging", "prod"]
    assert references == again
    assert registry.pushes == before  # a tag never moves: what is there is left as it is
    for name, reference in references.items():
        place, _, pinned = reference.partition("@")
        assert place == f"europe-west1-docker.pkg.dev/acme-ml-dev/dev-images/manifests-{name}"
        assert pinned in registry.manifests
        assert exists(access, reference)
        assert unpacked(registry, reference) == {"manifests.yaml": render(load_environment(name), folder)}


def test_nothing_is_pushed_when_one_environment_can_not_be_rendered(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(env: Any, folder: Path) -> str:
        if env.name == "prod":
            raise BadDataError("no")
        return "kind: x"

    monkeypatch.setattr(manifests, "render", failing)
    with pytest.raises(BadDataError):
        push_all(load_environment("dev"), Access("acme-ml-dev", endpoint=registry.address))
    assert registry.pushes == 0


def test_the_same_content_is_the_same_image_and_another_is_another() -> None:
    first, same, other = (OciImage.of({"a": text}) for text in ("x", "x", "y"))

    assert first == same
    assert digest(first.manifest) != digest(other.manifest)


def test_an_image_that_is_not_there_is_not_there(registry: Registry) -> None:
    access = Access("acme-ml-dev", endpoint=registry.address)
    there = push(access, "europe-west1-docker.pkg.dev/acme-ml-dev/dev-images/x", OciImage.of({"a": "b"}))

    assert exists(access, there)
    assert not exists(access, there[:-4] + "0000")
    with pytest.raises(BadInputError, match="not pinned"):
        exists(access, "europe-west1-docker.pkg.dev/acme-ml-dev/dev-images/x:latest")


def pushed(registry: Registry, env: Environment) -> Environment:
    """The environment with digests that are in the registry."""
    access, url = Access("acme-ml-dev", endpoint=registry.address), images_url(env)
    there = {name: push(access, f"{url}/{name}", OciImage.of({name: "x"})) for name in ("pipelines", "serving", "m")}
    images = env.images.model_copy(update={name: there[name] for name in ("pipelines", "serving")})
    kubeflow = env.kubeflow.model_copy(update={"manifests": there["m"]})
    return env.model_copy(update={"images": images, "kubeflow": kubeflow})


@pytest.mark.parametrize("name", ["dev", "staging"])
@pytest.mark.parametrize("key", ["images.pipelines", "images.serving", "kubeflow.manifests"])
def test_an_apply_is_refused_while_something_it_names_is_not_in_the_registry(
    registry: Registry, name: str, key: str
) -> None:
    access, env = Access("acme-ml-dev", endpoint=registry.address), pushed(registry, load_environment(name))
    refuse_absent(env, access)

    section, field = key.split(".")
    gone = env.artefacts[key][:-4] + "0000"
    lacking = env.model_copy(update={section: getattr(env, section).model_copy(update={field: gone})})
    with pytest.raises(RefusedError, match="nothing was applied: not in the registry of dev") as caught:
        refuse_absent(lacking, access)
    assert [line.strip() for line in caught.value.what.splitlines()[1:]] == [f"{key} = {gone}"]
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "variables", "asks"),
    [
        ("local", {}, False),
        ("dev", {"FONDERIE_BACKEND": "local"}, False),
        ("dev", {"FONDERIE_GOOGLE_ENDPOINT": "http://127.0.0.1:9"}, True),
    ],
    ids=["an environment of this machine", "a trial in the sandbox", "the sandbox with a remote state"],
)
def test_a_registry_is_asked_unless_the_state_is_on_this_machine(
    name: str, variables: dict[str, str], asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("FONDERIE_BACKEND", "FONDERIE_GOOGLE_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    asked: list[str] = []

    def there(access: Access, artefact: str) -> bool:
        asked.append(artefact)
        return access.endpoint == variables["FONDERIE_GOOGLE_ENDPOINT"]

    monkeypatch.setattr("fonderie.google.artifacts.exists", there)
    env = load_environment(name)

    refuse_absent(env)

    assert asked == (list(env.artefacts.values()) if asks else [])


def test_the_command_asks_before_it_plans_and_a_look_alone_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(env: Environment) -> None:
        raise RefusedError(f"not there: {env.name}")

    def planned(applier: Applier, *_: object) -> None:
        raise AssertionError("it planned")

    monkeypatch.setattr("ci.apply.apply.refuse_absent", absent)
    monkeypatch.setattr(Applier, "apply", planned)
    with pytest.raises(RefusedError, match="not there: dev"):
        command("dev", plan="p-0123456789abcdef0123")

    monkeypatch.setattr(Applier, "preview", planned)
    with pytest.raises(AssertionError, match="it planned"):
        command("dev")

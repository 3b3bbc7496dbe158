"""The registry in Vertex AI keeps the same contract, over real client libraries and an HTTP stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.oauth2.credentials import Credentials

from fonderie.core.errors import ConflictError, RefusedError
from fonderie.google import Access
from fonderie.google.vertex_registry import VertexRegistry
from fonderie.sandbox.rest.discovery import RejectedError
from infra import names
from infra.settings import load_environment
from ml.registry import Alias, Registry, open_registry
from tests.contract.registry.candidates import NOW, make_candidate
from tests.contract.registry.contract import RegistryContract
from tests.google.server import Google, running

IMAGE = "europe-west1-docker.pkg.dev/acme/images/serving@sha256:" + "a" * 64
MODEL = "projects/acme/locations/europe-west1/models/air-time"


@pytest.fixture(scope="module")
def server() -> Iterator[Google]:
    with running() as google:
        yield google


@pytest.fixture
def google(server: Google) -> Google:
    """The stand-in, emptied."""
    server.start_anew()
    server.make_bucket("acme-models")
    return server


@pytest.fixture
def registry(google: Google, tmp_path: Path) -> Registry:
    access = Access("acme", "europe-west1", endpoint=google.address, credentials=Credentials(token="of-the-test"))
    return VertexRegistry(access, "acme-models", "air_time", image=IMAGE, cache=tmp_path / "cache")


class TestVertexRegistry(RegistryContract):
    def test_vertex_aliases_follow_the_champion(self, registry: Registry, google: Google, tmp_path: Path) -> None:
        for name in ("one", "two"):
            self.register(registry, tmp_path, name)
        self.promote(registry, 1, None)
        self.promote(registry, 2, 1)

        aliases = [set(version["versionAliases"]) for version in google.models.versions[MODEL]]

        assert aliases == [{"previous-champion"}, {"champion", "default"}]

    def test_a_version_is_encrypted_with_the_environments_key(
        self, google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As a task of production is told its registry. Source: Vertex AI REST reference, `Model.encryptionSpec`."""
        prod = load_environment("prod")
        google.make_bucket(names.bucket(prod, names.BucketName.MODELS))
        monkeypatch.setenv("FONDERIE_GOOGLE_ENDPOINT", google.address)
        registry = open_registry("air_time", names.registry_location(prod))
        self.register(registry, tmp_path, "one")
        (upload,) = (call for call in google.calls if call.method.endswith("models.upload"))
        assert upload.body["model"]["encryptionSpec"] == {"kmsKeyName": names.key_path(prod, names.KeyName.DATA)}
        assert upload.body["model"]["containerSpec"]["imageUri"] == prod.images.serving

    def test_every_request_is_one_that_google_takes(self, registry: Registry, google: Google, tmp_path: Path) -> None:
        self.register(registry, tmp_path, "one")
        self.promote(registry, 1, None)

        unexpected = [said for said in google.refused if "does not exist" not in said and "No such object" not in said]

        assert unexpected == []
        assert "aiplatform.projects.locations.models.upload" in {call.method for call in google.calls}

    def test_two_promotions_at_once_one_wins_the_other_is_told(
        self, registry: Registry, google: Google, tmp_path: Path
    ) -> None:
        for name in ("one", "two", "three"):
            self.register(registry, tmp_path, name)
        self.promote(registry, 1, None)
        self.promote(registry, 2, 1)
        after = google.buckets.read("acme-models", "air_time/aliases.json")

        google.show_late("acme-models", "air_time/aliases.json")
        with pytest.raises(ConflictError, match="champion is v002"):
            self.promote(registry, 3, 1)
        assert google.buckets.read("acme-models", "air_time/aliases.json") == after

    def test_a_version_without_its_aliases_gets_them_when_it_is_registered_again(
        self, registry: Registry, google: Google, tmp_path: Path
    ) -> None:
        self.register(registry, tmp_path, "one")
        google.buckets.delete("acme-models", "air_time/aliases.json")

        self.register(registry, tmp_path, "one")

        assert registry.aliases().current == {Alias.CHALLENGER: 1}
        assert len(google.models.versions[MODEL]) == 1

    def test_files_are_in_the_bucket_before_the_version_is_listed(
        self, registry: Registry, google: Google, tmp_path: Path
    ) -> None:
        self.register(registry, tmp_path, "one")

        methods = [call.method for call in google.calls]
        upload = methods.index("aiplatform.projects.locations.models.upload")

        assert methods[:upload].count("storage.objects.insert") == 4

    @pytest.mark.parametrize(
        ("status", "reason", "said"),
        [
            (403, "PERMISSION_DENIED", "lacks a role"),
            (429, "RESOURCE_EXHAUSTED", "quota"),
            (401, "UNAUTHENTICATED", "credentials do not work"),
        ],
    )
    def test_a_refusal_of_google_is_said_in_words(
        self, registry: Registry, google: Google, tmp_path: Path, status: int, reason: str, said: str
    ) -> None:
        candidate = make_candidate(tmp_path / "one", "one")
        google.failures.append(RejectedError(status, reason, "no"))

        with pytest.raises(RefusedError, match=said) as error:
            registry.register(candidate, tmp_path / "one", who="test", now=NOW)

        assert error.value.hint
        assert registry.list() == ()

"""Cloud Storage through Google's own client, curl and plain HTTP, with identities enforced."""

from __future__ import annotations

import subprocess

import pytest
from google.api_core.exceptions import Forbidden, NotFound, PreconditionFailed
from google.auth.exceptions import RefreshError
from google.cloud import storage
from google.oauth2.credentials import Credentials

from fonderie.sandbox.cloud.buckets import Blob
from fonderie.sandbox.cloud.cloud import Cloud, ObjectStatus
from fonderie.sandbox.iam.tokens import Tokens
from tests.contract.rest.conftest import NUMBER, PROJECT, Sandbox, account, person


def client(sandbox: Sandbox, who: object) -> storage.Client:
    return storage.Client(
        project=PROJECT,
        credentials=sandbox.credentials(who),  # type: ignore[arg-type]
        client_options={"api_endpoint": sandbox.server.address},
    )


@pytest.fixture
def bucket(sandbox: Sandbox) -> storage.Bucket:
    """A bucket with versions, to which pipelines may write; plan may read."""
    sandbox.bucket("acme-models", versioning=[{"enabled": True}], effective_labels={"env": "dev"})
    sandbox.grant("b/acme-models", "roles/storage.objectAdmin", "pipelines")
    sandbox.grant("b/acme-models", "roles/storage.objectViewer", "plan")
    return client(sandbox, "pipelines").bucket("acme-models")


@pytest.mark.parametrize("size", [0, 10, 300_000, 9_000_000])
def test_what_googles_client_uploads_it_downloads_whole(bucket: storage.Bucket, size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"\r\n--x" * (size % 256 // 5)
    blob = bucket.blob("a folder/ä%2F#?.bin", chunk_size=1 << 20 if size > 1_000_000 else None)
    blob.metadata = {"run": "7"}
    blob.upload_from_string(content, content_type="application/x-own")  # verified by its checksum

    read = bucket.get_blob("a folder/ä%2F#?.bin")
    assert read.download_as_bytes() == content
    assert (read.content_type, read.metadata, read.size) == ("application/x-own", {"run": "7"}, len(content))
    assert read.crc32c == Blob.of(content).crc32c_base64
    if size:
        assert read.download_as_bytes(start=2, end=7) == content[2:8]


def test_preconditions_hold_and_every_write_is_a_new_generation(bucket: storage.Bucket) -> None:
    blob = bucket.blob("state")
    blob.upload_from_string(b"one", if_generation_match=0)
    first = blob.generation
    with pytest.raises(PreconditionFailed, match="pre-conditions"):
        bucket.blob("state").upload_from_string(b"two", if_generation_match=0)
    bucket.blob("state").upload_from_string(b"two", if_generation_match=first)
    with pytest.raises(PreconditionFailed):
        bucket.blob("state").delete(if_generation_match=first)

    assert bucket.get_blob("state").generation > first
    assert bucket.blob("state", generation=first).download_as_bytes() == b"one"
    versions = [(each.name, each.generation) for each in bucket.list_blobs(versions=True)]
    assert versions[0] == ("state", first)
    assert len(versions) == 2

    bucket.get_blob("state").delete()
    assert bucket.get_blob("state") is None
    assert bucket.blob("state", generation=first).download_as_bytes() == b"one"


def test_metadata_changes_count_and_copies_keep_it(bucket: storage.Bucket) -> None:
    blob = bucket.blob("a")
    blob.upload_from_string(b"content", content_type="text/plain")
    blob.metadata = {"k": "v"}
    blob.patch()
    assert blob.metageneration == 2

    copy = bucket.copy_blob(blob, bucket, "b")
    assert (copy.content_type, copy.metadata) == ("text/plain", {"k": "v"})
    token, written, total = bucket.blob("c").rewrite(copy)
    assert (token, written, total) == (None, 7, 7)
    both = bucket.blob("both")
    both.compose([bucket.blob("a"), bucket.blob("b")])
    assert both.download_as_bytes() == b"contentcontent"


def test_a_listing_has_pages_prefixes_and_delimiters(bucket: storage.Bucket) -> None:
    for name in ("x/1", "x/2", "x/y/3", "z"):
        bucket.blob(name).upload_from_string(b"")
    pages = bucket.list_blobs(prefix="x/", delimiter="/", page_size=1)
    assert [blob.name for blob in pages] == ["x/1", "x/2"]
    assert pages.prefixes == {"x/y/"}
    assert [blob.name for blob in bucket.list_blobs(page_size=3)] == ["x/1", "x/2", "x/y/3", "z"]


def test_a_file_that_a_program_wrote_is_an_object(sandbox: Sandbox, bucket: storage.Bucket) -> None:
    sandbox.world.buckets.write("acme-models", "run/model.bin", b"1")
    first = bucket.get_blob("run/model.bin")
    assert first.download_as_bytes() == b"1"
    sandbox.world.buckets.write("acme-models", "run/model.bin", b"2")
    assert bucket.get_blob("run/model.bin").generation > first.generation


def test_who_may_only_read_is_refused_in_googles_words(sandbox: Sandbox, bucket: storage.Bucket) -> None:
    bucket.blob("a").upload_from_string(b"1")
    theirs = client(sandbox, "plan").bucket("acme-models")
    assert theirs.blob("a").download_as_bytes() == b"1"
    with pytest.raises(
        Forbidden, match=r"does not have storage.objects.create access to the Google Cloud Storage object"
    ):
        theirs.blob("b").upload_from_string(b"1")
    with pytest.raises(Forbidden, match=r"storage.objects.delete"):
        theirs.blob("a").delete()
    with pytest.raises(Forbidden, match=r"storage.buckets.get"):
        theirs.reload()
    assert theirs.test_iam_permissions(["storage.objects.get", "storage.objects.create"]) == ["storage.objects.get"]


def test_writing_over_an_object_needs_to_delete_it(sandbox: Sandbox, bucket: storage.Bucket) -> None:
    role = f"projects/{PROJECT}/roles/creator"
    sandbox.make("google_project_iam_custom_role", role, permissions=["storage.objects.create"])
    sandbox.grant("b/acme-models", role, "serving")
    theirs = client(sandbox, "serving").bucket("acme-models")
    theirs.blob("once").upload_from_string(b"1")
    with pytest.raises(Forbidden, match=r"storage.objects.delete"):
        theirs.blob("once").upload_from_string(b"2")


def test_a_bucket_that_terraform_made_is_shown_and_its_change_is_drift(
    sandbox: Sandbox, bucket: storage.Bucket
) -> None:
    theirs = client(sandbox, person).get_bucket("acme-models")
    assert (theirs.versioning_enabled, theirs.labels, theirs.location) == (True, {"env": "dev"}, "EUROPE-WEST1")
    theirs.versioning_enabled = False
    theirs.labels = {"env": "prod"}
    theirs.patch()
    thing = sandbox.cloud.live("google_storage_bucket", "b/acme-models")
    assert thing is not None
    assert thing.attributes["versioning"] == [{"enabled": False}]
    assert thing.attributes["effective_labels"] == {"env": "prod"}


def test_a_policy_written_over_rest_counts_at_once(sandbox: Sandbox, bucket: storage.Bucket) -> None:
    theirs = client(sandbox, person).bucket("acme-models")
    policy = theirs.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {f"serviceAccount:{account('retrain')}"}})
    theirs.set_iam_policy(policy)
    with pytest.raises(NotFound):
        client(sandbox, "retrain").bucket("acme-models").blob("absent").download_as_bytes()


def test_the_agent_exists_once_it_is_asked_for(sandbox: Sandbox) -> None:
    email = client(sandbox, person).get_service_account_email()
    assert email == f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"
    assert sandbox.cloud.has_agent(email)


def test_curl_reads_and_the_xml_api_answers(sandbox: Sandbox, bucket: storage.Bucket) -> None:
    bucket.blob("a/b").upload_from_string(b"content")
    for path in ("storage/v1/b/acme-models/o/a%2Fb?alt=media", "acme-models/a/b"):
        header = f"Authorization: Bearer {sandbox.token('plan')}"
        words = ["curl", "-sS", "-D", "-", "-H", header, f"{sandbox.server.address}/{path}"]
        said = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
        assert said.endswith("content")
        assert "x-goog-generation: " in said


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer nobody"}, {"authorization": "Basic x"}])
def test_without_a_token_that_is_known_here_nobody_is_anybody(sandbox: Sandbox, headers: dict[str, str]) -> None:
    sandbox.bucket("acme-models")
    answer = sandbox.call(None, "GET", "storage/v1/b/acme-models/o", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"
    assert "Expected OAuth 2 access token" in answer.json()["error"]["message"]


def test_an_expired_token_and_one_of_another_cloud_are_unknown(
    sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Cloud(tmp_path_factory.mktemp("other") / "google.sqlite") as other:
        foreign = Tokens(other).issue(person)
    expired = sandbox.token(person, lifetime_s=-1)
    forged = f"{sandbox.token(person)[:-3]}abc"
    for token, reason in (
        (foreign, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        (forged, "ACCESS_TOKEN_TYPE_UNSUPPORTED"),
        (expired, "ACCESS_TOKEN_EXPIRED"),
    ):
        answer = sandbox.call(
            None, "GET", "storage/v1/b?project=acme-ml-dev", headers={"authorization": f"Bearer {token}"}
        )
        error = answer.json()["error"]
        assert (error["code"], error["status"], error["details"][0]["reason"]) == (401, "UNAUTHENTICATED", reason)
        # Google's words to the letter: its clients' users search for them
        assert error["message"] == (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other "
            "valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
        )
    options = {"api_endpoint": sandbox.server.address}
    theirs = storage.Client(project=PROJECT, credentials=Credentials(foreign), client_options=options)
    with pytest.raises(RefreshError):
        theirs.get_bucket("x")


def test_an_api_that_is_off_is_said_to_be(sandbox: Sandbox) -> None:
    sandbox.bucket("acme-models")
    path = f"projects/{PROJECT}/services/storage.googleapis.com"
    sandbox.cloud.mark("google_project_service", path, ObjectStatus.GONE)
    answer = sandbox.call(person, "GET", "storage/v1/b/acme-models")
    error = answer.json()["error"]
    assert (answer.status_code, error["details"][0]["reason"]) == (403, "SERVICE_DISABLED")
    assert "Cloud Storage JSON API has not been used in project" in error["message"]


def test_what_is_not_imitated_says_so(sandbox: Sandbox) -> None:
    sandbox.bucket("acme-models")
    for path, named in (
        ("storage/v1/b/acme-models/anywhereCaches", "storage.anywhereCaches.list"),
        ("storage/v1/b/acme-models/o/a/acl", "storage.objectAccessControls.list"),
    ):
        answer = sandbox.call(person, "GET", path)
        assert (answer.status_code, named in answer.text) == (501, True), answer.text

import hashlib
import threading

import pytest
from starlette.responses import JSONResponse, Response

from ci.forges import github, gitlab
from ci.preview.post import NOTHING_REVIEWED, OUTDATED, Target, marker_of, post, post_preview, reviewed_plan, target_of
from ci.preview.render.comment import MARKER
from fonderie.core.errors import BadInputError, RefusedError, StepFailedError
from tests.unit.ci.preview.forge_server import TOKEN, Server, serving
from tests.unit.ci.preview.plans import change, preview

BODY = f"{MARKER}\n\n### a preview"
HEAD = "a" * 40


@pytest.fixture(scope="module")
def running():
    with serving() as server:
        yield server


@pytest.fixture
def server(running):
    """The running server, as new."""
    fresh = Server(url=running.url)
    running.__dict__.update(fresh.__dict__)
    return running


@pytest.fixture(params=["github", "gitlab"])
def target(request, server):
    server.waited = []
    if request.param == "github":
        return Target(github.GitHub(github.api(TOKEN, server.url, sleep=server.waited.append), "acme/ml", 7), HEAD)
    return Target(gitlab.GitLab(gitlab.api(TOKEN, server.url, sleep=server.waited.append), "5", 7), HEAD)


def bodies(server):
    return [server.comments[number]["body"] for number in sorted(server.comments)]


def test_the_first_preview_creates_the_comment_and_the_status(server, target):
    server.add("some talk")
    assert post(target, BODY, "1 added", failed=False).startswith("created")
    assert bodies(server) == ["some talk", BODY]
    assert server.statuses[0]["state"] == "success"
    assert server.statuses[0]["description"] == "1 added"


def test_the_next_preview_updates_it(server, target):
    post(target, BODY, "", failed=False)
    assert post(target, BODY + " again", "", failed=True).startswith("updated")
    assert bodies(server) == [BODY + " again"]
    assert server.statuses[-1]["state"] in ("failure", "failed")


def test_the_comment_is_found_behind_many_pages(server, target):
    server.page = 2
    server.add(BODY)
    for _ in range(7):
        server.add("talk")
    post(target, BODY + " 2", "", failed=False)
    assert bodies(server)[0] == BODY + " 2"
    assert len(server.comments) == 8


def test_a_comment_that_only_quotes_the_marker_is_left_alone(server, target):
    server.add(f"> {BODY}")
    post(target, BODY, "", failed=False)
    assert bodies(server) == [f"> {BODY}", BODY]


def test_a_comment_deleted_meanwhile_is_made_again(server, target):
    number = server.add(BODY)

    def delete(request):
        if request.method in ("PATCH", "PUT"):
            server.comments.pop(number, None)

    server.before = delete
    assert post(target, BODY + " 2", "", failed=False).startswith("created")
    assert bodies(server) == [BODY + " 2"]


def test_a_comment_of_somebody_else_with_our_marker_is_not_taken_for_ours(server, target):
    number = server.add(BODY)
    server.foreign.add(number)
    assert post(target, BODY + " 2", "", failed=False).startswith("created")
    assert bodies(server) == [BODY, BODY + " 2"]


def test_duplicates_are_folded_away(server, target):
    server.add(BODY)
    server.add(BODY + " too")
    post(target, BODY + " new", "", failed=False)
    first, second = bodies(server)
    assert first == BODY + " new"
    assert second.startswith(OUTDATED)
    assert "<details>" in second


def test_two_previews_at_once_leave_one_comment(server, target):
    both = threading.Barrier(2)

    def run():
        both.wait()
        post(target, BODY, "", failed=False)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(body.startswith(MARKER) for body in bodies(server)) == 1


def test_a_rival_created_in_between_takes_the_later_body(server, target):
    def rival(request):
        if request.method == "POST" and request.url.path.endswith(("comments", "notes")):
            server.add(BODY + " rival")

    server.before = rival
    assert post(target, BODY + " mine", "", failed=False).startswith("updated")
    assert [body for body in bodies(server) if body.startswith(MARKER)] == [BODY + " mine"]


def test_a_preview_of_a_commit_that_was_left_is_not_posted(server, target):
    server.head = "b" * 40
    assert post(target, BODY, "", failed=False).startswith("not posted")
    assert server.comments == {}


def test_an_expired_token_is_said_in_words_and_never_shown(server):
    expired = Target(github.GitHub(github.api("ghs_expiredexpiredexpired00", server.url), "acme/ml", 7), HEAD)
    with pytest.raises(RefusedError, match="expired") as caught:
        post(expired, BODY, "", failed=False)
    assert "ghs_expired" not in str(caught.value) + repr(expired.forge._api)


def test_a_missing_permission_is_said_in_words(server, target):
    server.faults.append(JSONResponse({"message": "Resource not accessible by integration"}, 403))
    with pytest.raises(RefusedError, match="may not do that") as caught:
        post(target, BODY, "", failed=False)
    assert "it needs" in caught.value.hint


@pytest.mark.parametrize("status", [500, 502, 503])
def test_passing_faults_are_tried_again(server, target, status):
    server.faults.extend(Response(status_code=status) for _ in range(3))
    assert post(target, BODY, "", failed=False).startswith("created")


def test_a_forge_that_is_down_is_given_up_after_five_times(server, target):
    server.faults.extend(Response(status_code=503) for _ in range(5))
    with pytest.raises(StepFailedError, match="did not answer 5 times"):
        post(target, BODY, "", failed=False)


def test_a_rate_limit_is_waited_for(server, target):
    server.faults.append(JSONResponse({"message": "secondary rate limit"}, 403, headers={"retry-after": "7"}))
    assert post(target, BODY, "", failed=False).startswith("created")
    assert 7.0 in server.waited


def test_a_long_rate_limit_is_said_instead_of_waited_for(server, target):
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}
    server.faults.append(JSONResponse({"message": "API rate limit exceeded"}, 403, headers=headers))
    with pytest.raises(StepFailedError, match="rate limit is used up"):
        post(target, BODY, "", failed=False)


def test_a_server_that_is_not_there_is_an_error_in_words():
    api = github.api(TOKEN, "http://127.0.0.1:9", sleep=lambda _: None)
    with pytest.raises(StepFailedError, match="did not answer"):
        post(Target(github.GitHub(api, "acme/ml", 7), HEAD), BODY, "", failed=False)


def test_a_pull_request_that_does_not_exist(server):
    with pytest.raises(BadInputError, match="did not find this change"):
        post(Target(github.GitHub(github.api(TOKEN, server.url), "acme/other", 7), HEAD), BODY, "", failed=False)


ACTIONS = {
    "GITHUB_TOKEN": "t",
    "GITHUB_REPOSITORY": "acme/ml",
    "GITHUB_REF": "refs/pull/7/merge",
    "FONDERIE_HEAD": HEAD,
}


def test_the_target_comes_from_the_variables():
    assert isinstance(target_of(ACTIONS).forge, github.GitHub)
    variables = {"CI_MERGE_REQUEST_IID": "7", "GITLAB_TOKEN": "t", "CI_PROJECT_ID": "5", "CI_COMMIT_SHA": HEAD}
    assert isinstance(target_of(variables).forge, gitlab.GitLab)


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GITHUB_REPOSITORY", "FONDERIE_HEAD"])
def test_a_missing_variable_is_named(name):
    with pytest.raises(BadInputError) as caught:
        target_of({key: value for key, value in ACTIONS.items() if key != name})
    assert caught.value.where == name


@pytest.mark.parametrize("bad", [{"GITHUB_REPOSITORY": "../x"}, {"GITHUB_REF": "main", "FONDERIE_PULL_REQUEST": "x"}])
def test_a_wrong_variable_is_refused(bad):
    with pytest.raises(BadInputError):
        target_of(ACTIONS | bad)


def test_the_reviewed_plan_is_read_from_the_merged_pull_requests_comment(server):
    identity = "p-0123456789abcdef0123"
    server.add("talk: prod plan `p-ffffffffffffffffffff`")
    server.add(f"{marker_of(['prod'])}\n\n... staging plan `p-{'1' * 20}` · prod plan `{identity}` · ...")
    variables = {
        "GITHUB_TOKEN": TOKEN,
        "GITHUB_REPOSITORY": "acme/ml",
        "FONDERIE_HEAD": HEAD,
        "GITHUB_API_URL": server.url,
    }
    assert reviewed_plan("prod", variables) == identity
    assert reviewed_plan("dev", variables) == NOTHING_REVIEWED


STRANGER = {"author_association": "NONE", "user": {"type": "User"}}


@pytest.mark.parametrize(
    ("body", "more"),
    [
        (f"{MARKER}\n\n---\nprod plan `p-{'9' * 20}`", STRANGER),
        (f"{OUTDATED}\n{MARKER}\n\n---\nprod plan `p-{'9' * 20}`", {}),
        (f"{MARKER}\n```diff\n+ label prod plan `p-{'9' * 20}`\n```\n\n---\n<sub>nothing changes</sub>", {}),
    ],
    ids=["a stranger's", "outdated", "in a value of the plan"],
)
def test_what_only_looks_like_a_reviewed_plan_is_none(server, body, more):
    server.add(body, **more)
    variables = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "acme/ml", "FONDERIE_HEAD": HEAD,
                 "GITHUB_API_URL": server.url}  # fmt: skip
    assert reviewed_plan("prod", variables) == NOTHING_REVIEWED
    server.add(f"{MARKER}\n\n---\nprod plan `p-{'1' * 20}`", author_association="NONE", user={"type": "Bot"})
    assert reviewed_plan("prod", variables) == "p-" + "1" * 20


def test_a_strangers_comment_with_our_marker_is_not_written_to(server):
    api = github.api(TOKEN, server.url, sleep=lambda _: None)
    stranger = server.add(f"{MARKER} mine", **STRANGER)
    post(Target(github.GitHub(api, "acme/ml", 7), HEAD), BODY, "", failed=False)
    assert server.comments[stranger]["body"] == f"{MARKER} mine"
    assert bodies(server)[-1] == BODY


def test_a_comment_is_as_long_as_its_forge_allows(server):
    entries = [
        change(f"google_thing.a{hashlib.sha256(str(i).encode()).hexdigest()}", "delete", {}) for i in range(6_000)
    ]
    made = preview(*entries)
    named = {"GITLAB_TOKEN": TOKEN, "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "7", "CI_COMMIT_SHA": HEAD,
             "CI_API_V4_URL": server.url}  # fmt: skip
    post_preview(made, (), named)
    (body,) = bodies(server)
    assert 60_000 < len(body) < 1_000_000
    assert all(entry["address"].removeprefix("google_thing.") in body for entry in entries)


def test_previews_of_different_environments_are_different_comments(server, target):
    for name in ("dev", "prod", "dev"):
        marker = marker_of([name])
        post(target, f"{marker} {name}", "", failed=False, marker=marker)
    assert [body.split()[-1] for body in bodies(server)] == ["dev", "prod"]

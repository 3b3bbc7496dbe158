import hashlib
import re
import subprocess
import threading

import pytest
from starlette.responses import JSONResponse, Response

from ci.forges import github, gitlab
from ci.forges.forge import State
from ci.preview.fingerprint import record
from ci.preview.post import (
    Target,
    before,
    main,
    marker_of,
    post,
    post_applied,
    post_preview,
    read_kept,
    reviewed,
    target_of,
)
from ci.preview.render.comment import MARKER
from ci.preview.review import Review, opened, seal
from fonderie.core.errors import BadInputError, RefusedError, StepFailedError
from fonderie.terraform.plan import read_plan
from tests.unit.ci.preview.forge_server import TOKEN, Server, serving
from tests.unit.ci.preview.plans import change, plan_json, preview

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


def put(target, body, line="", *, failed=False, marker=MARKER):
    return post(target, body, [("dev", State.FAILURE if failed else State.SUCCESS, line)], marker=marker)


def bodies(server):
    return [server.comments[number]["body"] for number in sorted(server.comments)]


def test_the_first_preview_creates_the_comment_and_the_status(server, target):
    server.add("some talk")
    assert put(target, BODY, "1 added").startswith("created")
    assert bodies(server) == ["some talk", BODY]
    assert server.statuses[0]["state"] == "success"
    assert server.statuses[0]["description"] == "1 added"


def test_the_next_preview_updates_it(server, target):
    put(target, BODY)
    assert put(target, BODY + " again", failed=True).startswith("updated")
    assert bodies(server) == [BODY + " again"]
    assert server.statuses[-1]["state"] in ("failure", "failed")


def test_the_comment_is_found_behind_many_pages(server, target):
    server.page = 2
    server.add(BODY)
    for _ in range(7):
        server.add("talk")
    put(target, BODY + " 2")
    assert bodies(server)[0] == BODY + " 2"
    assert len(server.comments) == 8


def test_a_comment_that_only_quotes_the_marker_is_left_alone(server, target):
    server.add(f"> {BODY}")
    put(target, BODY)
    assert bodies(server) == [f"> {BODY}", BODY]


def test_a_comment_deleted_meanwhile_is_made_again(server, target):
    number = server.add(BODY)

    def delete(request):
        if request.method in ("PATCH", "PUT"):
            server.comments.pop(number, None)

    server.before = delete
    assert put(target, BODY + " 2").startswith("created")
    assert bodies(server) == [BODY + " 2"]


def test_a_comment_of_somebody_else_with_our_marker_is_not_taken_for_ours(server, target):
    number = server.add(BODY)
    server.foreign.add(number)
    assert put(target, BODY + " 2").startswith("created")
    assert bodies(server) == [BODY, BODY + " 2"]


def test_duplicates_are_removed(server, target):
    server.add(BODY)
    server.add(BODY + " too")
    put(target, BODY + " new")
    assert bodies(server) == [BODY + " new"]


def test_two_previews_at_once_leave_one_comment(server, target):
    both = threading.Barrier(2)

    def run():
        both.wait()
        put(target, BODY)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies(server)) == 1


def test_a_rival_created_in_between_takes_the_later_body(server, target):
    def rival(request):
        if request.method == "POST" and request.url.path.endswith(("comments", "notes")):
            server.add(BODY + " rival")

    server.before = rival
    assert put(target, BODY + " mine").startswith("updated")
    assert [body for body in bodies(server) if body.startswith(MARKER)] == [BODY + " mine"]


def test_a_preview_of_a_commit_that_was_left_is_not_posted(server, target):
    server.head = "b" * 40
    assert put(target, BODY).startswith("not posted")
    assert server.comments == {}


def test_an_expired_token_is_said_in_words_and_never_shown(server):
    expired = Target(github.GitHub(github.api("ghs_expiredexpiredexpired00", server.url), "acme/ml", 7), HEAD)
    with pytest.raises(RefusedError, match="expired") as caught:
        put(expired, BODY)
    assert "ghs_expired" not in str(caught.value) + repr(expired.forge._api)


def test_a_missing_permission_is_said_in_words(server, target):
    server.faults.append(JSONResponse({"message": "Resource not accessible by integration"}, 403))
    with pytest.raises(RefusedError, match="may not do that") as caught:
        put(target, BODY)
    assert "it needs" in caught.value.hint


@pytest.mark.parametrize("status", [500, 502, 503])
def test_passing_faults_are_tried_again(server, target, status):
    server.faults.extend(Response(status_code=status) for _ in range(3))
    assert put(target, BODY).startswith("created")


def test_a_forge_that_is_down_is_given_up_after_five_times(server, target):
    server.faults.extend(Response(status_code=503) for _ in range(5))
    with pytest.raises(StepFailedError, match="did not answer 5 times"):
        put(target, BODY)


def test_a_rate_limit_is_waited_for(server, target):
    server.faults.append(JSONResponse({"message": "secondary rate limit"}, 403, headers={"retry-after": "7"}))
    assert put(target, BODY).startswith("created")
    assert 7.0 in server.waited


def test_a_secondary_rate_limit_without_a_header_is_waited_for(server, target):
    server.faults.append(JSONResponse({"message": "You have exceeded a secondary rate limit."}, 403))
    assert put(target, BODY).startswith("created")
    assert 60.0 in server.waited


def test_an_answer_that_is_not_json_is_said(server, target):
    server.faults.append(Response("<html>sign in</html>", media_type="text/html"))
    with pytest.raises(StepFailedError, match="something else than JSON"):
        put(target, BODY)


def test_no_token_goes_to_another_host(server, target):
    server.faults.append(Response(status_code=302, headers={"location": "http://localhost:9/elsewhere"}))
    with pytest.raises(RefusedError, match="another host, localhost"):
        put(target, BODY)


def test_a_redirect_of_the_same_host_is_followed(server, target):
    path = "/repos/acme/ml/pulls/7" if isinstance(target.forge, github.GitHub) else "/projects/5/merge_requests/7"
    server.faults.append(Response(status_code=301, headers={"location": path}))
    assert put(target, BODY).startswith("created")


def test_what_a_forge_finds_wrong_is_told(server, target):
    server.faults.append(JSONResponse({"message": "Validation Failed", "errors": [{"field": "body"}]}, 422))
    with pytest.raises(BadInputError, match=r'Validation Failed: .*"field": "body"'):
        put(target, BODY)


def test_a_token_that_may_not_set_statuses_posts_all_the_same(server, target):
    def refuse(request):
        if "statuses" in request.url.path:
            server.faults.append(JSONResponse({"message": "Resource not accessible by integration"}, 403))

    server.before = refuse
    with pytest.raises(RefusedError, match="may not do that"):
        put(target, BODY)
    assert bodies(server) == [BODY]


def test_a_token_with_a_line_break_is_refused_and_not_shown():
    with pytest.raises(BadInputError, match="holds a space or a line break") as caught:
        target_of(ACTIONS | {"GITHUB_TOKEN": "ghs_one\nghs_two"})
    assert "ghs_" not in str(caught.value)


def test_a_long_rate_limit_is_said_instead_of_waited_for(server, target):
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}
    server.faults.append(JSONResponse({"message": "API rate limit exceeded"}, 403, headers=headers))
    with pytest.raises(StepFailedError, match="rate limit is used up"):
        put(target, BODY)


def test_a_server_that_is_not_there_is_an_error_in_words():
    api = github.api(TOKEN, "http://127.0.0.1:9", sleep=lambda _: None)
    with pytest.raises(StepFailedError, match="did not answer"):
        put(Target(github.GitHub(api, "acme/ml", 7), HEAD), BODY)


def test_a_pull_request_that_does_not_exist(server):
    with pytest.raises(BadInputError, match="did not find this change"):
        put(Target(github.GitHub(github.api(TOKEN, server.url), "acme/other", 7), HEAD), BODY)


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
    merged_results = variables | {"CI_COMMIT_SHA": "d" * 40, "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA": HEAD}
    assert target_of(merged_results).commit == HEAD


@pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GITHUB_REPOSITORY", "FONDERIE_HEAD"])
def test_a_missing_variable_is_named(name):
    with pytest.raises(BadInputError) as caught:
        target_of({key: value for key, value in ACTIONS.items() if key != name})
    assert caught.value.where == name


@pytest.mark.parametrize("bad", [{"GITHUB_REPOSITORY": "../x"}, {"GITHUB_REF": "main", "FONDERIE_PULL_REQUEST": "x"}])
def test_a_wrong_variable_is_refused(bad):
    with pytest.raises(BadInputError):
        target_of(ACTIONS | bad)


KEY = "a-key-that-no-pull-request-is-given"
RECORD = record(
    "prod",
    [
        read_plan(
            plan_json(change("google_thing.x", "create", None, {"a": 1})),
            environment="prod",
            stack="prod-data",
            serial=4,
            salt="lineage",
        )
    ],
    head=HEAD,
    base="b" * 40,
)
MERGED = {"number": 7, "head": {"sha": HEAD}, "base": {"ref": "main"}, "merged_at": "2026-11-29T00:00:00Z"}


@pytest.fixture
def merge(server):
    """The variables of an apply, after pull request 7 was merged as commit c."""
    server.merged = [MERGED | {"commits": ["c" * 40]}]
    return {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "acme/ml", "GITHUB_API_URL": server.url,
            "FONDERIE_HEAD": "c" * 40, "FONDERIE_REVIEW_KEY": KEY}  # fmt: skip


def previewed(server, **more):
    """What our own step posts on the pull request."""
    variables = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "acme/ml", "GITHUB_API_URL": server.url,
                 "FONDERIE_PULL_REQUEST": "7", "FONDERIE_HEAD": HEAD, "FONDERIE_REVIEW_KEY": KEY}  # fmt: skip
    post_preview(preview(change("google_thing.x", "create", None, {"a": 1})), (), [RECORD], variables | more)
    return max(server.comments)


def test_the_review_of_the_merged_pull_requests_head_is_found(server, merge):
    previewed(server)
    found = reviewed("prod", merge)
    assert found == Review.of(RECORD, 7)
    assert (found.head, found.base, found.states) == (HEAD, "b" * 40, {"prod-data": (4, RECORD.states["prod-data"][1])})
    assert "pull request #7 has no recorded preview of dev" in reviewed("dev", merge).missing


def edited(server, number):
    server.comments[number]["body"] = (
        server.comments[number]["body"].replace(".", ".0", 1).replace("review e", "review f")
    )
    packed = re.search(r"review ([\w=-]+)\.", server.comments[number]["body"])[1]
    server.comments[number]["body"] = server.comments[number]["body"].replace(
        packed, packed[:-6] + "AAAA" + packed[-2:]
    )


def copied(server, number):
    server.comments[number]["user"] = {"login": "mallory", "type": "User"}


def by_a_bot(server, number):
    server.comments[number]["user"] = {"login": "other[bot]", "type": "Bot"}


def of_another_key(server, number):
    server.comments[number]["body"] = seal(Review.of(RECORD, 7), "another key")


def of_another_pull_request(server, number):
    server.comments[number]["body"] = seal(Review.of(RECORD, 8), KEY)


def of_an_older_head(server, number):
    server.comments[number]["body"] = seal(Review.of(RECORD.model_copy(update={"head": "9" * 40}), 7), KEY)


def of_another_environment(server, number):
    server.comments[number]["body"] = seal(Review.of(RECORD.model_copy(update={"environment": "dev"}), 7), KEY)


def never_merged(server, _):
    server.merged[0]["merged_at"] = None


def merged_elsewhere(server, _):
    server.merged[0]["base"] = {"ref": "feature"}


def only_words(server, number):
    server.comments[number]["body"] = f"{MARKER}\n\n---\nprod plan `{RECORD.hash}`"


@pytest.mark.parametrize(
    "forge_it",
    [edited, copied, by_a_bot, of_another_key, of_another_pull_request, of_an_older_head, of_another_environment,
     never_merged, merged_elsewhere, only_words],
)  # fmt: skip
def test_what_only_looks_like_the_review_is_none(server, merge, forge_it):
    """By whom, with what and of what: an association, an app's word or a hash in a comment prove nothing."""
    number = previewed(server)
    assert not reviewed("prod", merge).missing
    forge_it(server, number)
    found = reviewed("prod", merge)
    assert found.missing
    assert found.hash != RECORD.hash


def test_a_member_who_comments_first_is_not_written_into(server, merge):
    """CI wrote its body into a member's comment, who may edit it at any time."""
    first = server.add(f"{MARKER} mine", login="mallory", author_association="MEMBER")
    number = previewed(server)
    assert server.comments[first]["body"] == f"{MARKER} mine"
    assert number != first
    assert reviewed("prod", merge).hash == RECORD.hash


def test_without_a_key_nothing_is_sealed_and_nothing_is_reviewed(server, merge):
    previewed(server, FONDERIE_REVIEW_KEY="")
    assert reviewed("prod", merge).missing
    with pytest.raises(BadInputError, match="is not set") as caught:
        reviewed("prod", merge | {"FONDERIE_REVIEW_KEY": ""})
    assert caught.value.where == "FONDERIE_REVIEW_KEY"


def test_a_record_of_another_commit_than_the_one_posted_is_not_sealed(server, merge):
    server.head = "e" * 40
    previewed(server, FONDERIE_HEAD="e" * 40)
    server.merged[0]["head"] = {"sha": "e" * 40}
    assert reviewed("prod", merge).missing


@pytest.mark.parametrize(
    ("pulls", "why"),
    [([(7, "main"), (8, "b1")], "2 open pull requests have this head"), ([(7, "b1")], "its base is another branch"),
     ([(8, "main")], "not this pull request's head"), ([], "not this pull request's head")],
)  # fmt: skip
def test_a_head_that_is_not_one_pull_requests_to_the_protected_branch_is_not_sealed(server, merge, pulls, why):
    """GitHub lists every pull request of a head: a second one may have an attacker's branch as its base."""
    server.open = pulls
    number = previewed(server)
    assert reviewed("prod", merge).missing
    assert f"prod is not sealed: {why}" in server.comments[number]["body"]
    assert server.statuses[-1]["description"].startswith(f"not sealed: {why}")


def test_a_green_status_without_a_seal_says_so(server):
    previewed(server, FONDERIE_REVIEW_KEY="")
    assert server.statuses[-1]["description"].startswith("not sealed: FONDERIE_REVIEW_KEY is not set; ")
    previewed(server)
    assert "not sealed" not in server.statuses[-1]["description"] + "".join(bodies(server))


def less_said(body):
    return body.replace("google_thing", "harmless_thing", 1)


def said_in_front(body):
    return f"Looks good to us.\n\n{body}"


def said_behind(body):
    return f"{body}\nThe above is out of date."


def another_seal_in_the_middle(body):
    return body.replace("\n", f"\n{seal(Review.of(RECORD, 7), 'other')}\n", 1)


@pytest.mark.parametrize("change_it", [less_said, said_in_front, said_behind, another_seal_in_the_middle])
def test_a_text_that_is_not_the_one_that_was_sealed_is_no_review(server, merge, change_it):
    """A member may edit what CI wrote: the record was whole, what the reviewer read was not."""
    number = previewed(server)
    body = server.comments[number]["body"]
    server.comments[number]["body"] = change_it(body)
    assert server.comments[number]["body"] != body
    assert reviewed("prod", merge).missing
    server.comments[number]["body"] = body.replace("\n", "\r\n").rstrip()
    assert not reviewed("prod", merge).missing


def left(folder, name, made, record=None, *, by=""):
    """What `fonderie preview --keep` leaves for an environment, in the artifact of the job of `by`."""
    place = folder / f"preview-{by or name}"
    place.mkdir(parents=True, exist_ok=True)
    if made:
        (place / f"{name}.preview.json").write_text(made.model_dump_json())
    if record:
        (place / f"{name}.record.json").write_text(record.model_dump_json())
    return place


def showing(identity):
    made = preview(change("google_thing.x", "create", None, {"a": 1}), environment="prod")
    return made.model_copy(update={"source": made.source.model_copy(update={"plans": (("prod", identity),)})})


def test_what_a_job_left_of_its_own_environment_is_read(tmp_path):
    assert read_kept(left(tmp_path, "prod", showing(RECORD.hash), RECORD)) == (showing(RECORD.hash), RECORD)
    assert read_kept(left(tmp_path, "dev", preview(environment="dev"))) == (preview(environment="dev"), None)


def test_the_job_of_an_environment_speaks_for_no_other(tmp_path):
    place = left(tmp_path, "prod", None, RECORD, by="dev")
    left(tmp_path, "dev", preview(environment="dev"))
    with pytest.raises(BadInputError, match="not a preview or a record of dev"):
        read_kept(place)
    with pytest.raises(SystemExit, match="not a preview or a record of dev"):
        main(str(tmp_path))


@pytest.mark.parametrize(
    ("made", "record", "said"),
    [(showing("p-" + "1" * 20), RECORD, "shows another plan"), (showing(RECORD.hash), None, "shows another plan"),
     (preview(environment="prod"), RECORD, "shows another plan"), (None, RECORD, "holds no preview of prod"),
     (preview(environment="dev"), RECORD, "another environment"),
     (showing(RECORD.hash), RECORD.model_copy(update={"environment": "dev"}), "another environment")],
)  # fmt: skip
def test_a_record_that_the_preview_does_not_show_is_refused(tmp_path, made, record, said):
    with pytest.raises(BadInputError, match=said):
        read_kept(left(tmp_path, "prod", made, record))


def test_a_seal_opens_only_with_its_key():
    sealed = seal(Review.of(RECORD, 7), KEY, "text")
    assert list(opened(f"text\n{sealed}\n", KEY)) == [Review.of(RECORD, 7)]
    assert list(opened(f"other text\n{sealed}\n", KEY)) == []
    sealed = seal(Review.of(RECORD, 7), KEY)
    assert list(opened(sealed, KEY)) == [Review.of(RECORD, 7)]
    assert list(opened(sealed, "another")) == []
    assert list(opened(sealed.replace("review e", "review f"), KEY)) == []


def test_the_base_of_a_rebased_pull_request_is_where_its_first_commit_started(server, merge, tmp_path):
    def git(*words):
        done = subprocess.run(["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b.c", *words],
                              check=True, capture_output=True, text=True)  # fmt: skip
        return done.stdout.strip()

    git("init", "-q", "-b", "main")
    commits = []
    for number in range(4):
        git("commit", "-q", "--allow-empty", "-m", str(number))
        commits.append(git("rev-parse", "HEAD"))
    server.merged = [MERGED | {"commits": commits[2:]}, MERGED | {"number": 6, "commits": commits[1:2]}]
    assert before(commits[3], merge, tmp_path) == commits[1]


def test_the_result_of_an_apply_is_one_comment_an_environment(server, merge):
    review = Review.of(RECORD, 7)
    post_applied(review, "first", merge)
    post_applied(review, "second", merge)
    assert bodies(server) == ["<!-- fonderie:applied prod -->\nsecond"]


def test_each_environment_has_a_status_of_its_own(server):
    previewed(server)
    assert [status["context"] for status in server.statuses] == ["fonderie/preview/prod"]


def test_a_preview_in_which_nothing_changes_makes_no_comment(server):
    variables = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "acme/ml", "GITHUB_API_URL": server.url,
                 "FONDERIE_PULL_REQUEST": "7", "FONDERIE_HEAD": HEAD}  # fmt: skip
    post_preview(preview(), (), (), variables)
    assert server.comments == {}
    number = server.add(f"{MARKER} something changes")
    post_preview(preview(), (), (), variables)
    assert "something changes" not in server.comments[number]["body"]


def test_a_comment_is_as_long_as_its_forge_allows(server):
    entries = [
        change(f"google_thing.a{hashlib.sha256(str(i).encode()).hexdigest()}", "delete", {}) for i in range(6_000)
    ]
    made = preview(*entries)
    named = {"GITLAB_TOKEN": TOKEN, "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "7", "CI_COMMIT_SHA": HEAD,
             "CI_API_V4_URL": server.url}  # fmt: skip
    post_preview(made, (), (), named)
    (body,) = bodies(server)
    assert 60_000 < len(body) < 1_000_000
    assert all(entry["address"].removeprefix("google_thing.") in body for entry in entries)


def test_previews_of_different_environments_are_different_comments(server, target):
    for name in ("dev", "prod", "dev"):
        marker = marker_of([name])
        put(target, f"{marker} {name}", marker=marker)
    assert [body.split()[-1] for body in bodies(server)] == ["dev", "prod"]

"""The definitions of continuous integration: well-formed, pinned, without secrets, and made of commands that exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ci import environments
from ci.preview.masking.patterns import without_patterns
from infra.settings import environment_names, load_environment
from infra.settings.sections import CiSystem
from infra.stacks.delivery import IN_THE_IMAGES
from tests.docs.test_commands import parse

ROOT = Path(__file__).parents[3]
BUILDS = sorted((ROOT / "ci" / "cloudbuild").glob("*.yaml"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
IMAGES = sorted((ROOT / "ci" / "images").glob("*.Dockerfile"))
NAMES = ["apply", "drift", "images", "preview"]
DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
STEP_KEYS = {"id", "name", "script", "env", "secretEnv", "args"}
BUILD_KEYS = {"steps", "options", "timeout", "availableSecrets"}
# What a script may do besides make targets and our commands.
PLUMBING = re.compile(
    r"sh ci/(cloudbuild/tools|images/build)\.sh|sh ci/cloudbuild/base\.sh \"\$_BASE_BRANCH\"|cd base"
    r'|export FONDERIE_REVIEW_KEY="\$GITHUB_TOKEN"|\.venv/bin/python -m ci\.(synth|preview\.post previews)'
    r"|\.\./\.venv/bin/python -m ci\.preview\.post \.\./kept|gcloud auth configure-docker .*|touch \.served"
    r'|python3 -m ci\.environments github_actions >> "\$GITHUB_OUTPUT"'
)
IF_SERVED = 'python3 -m ci.environments cloud_build "$_ENVIRONMENT" '
WAS_SERVED = "test ! -e .served || "  # in an image without Python: an earlier step asked


def read(path):
    return yaml.safe_load(path.read_text())


def ids(path):
    return path.name


def scripts(path):
    """Every command line of a definition."""
    body = read(path)
    steps = body["steps"] if "steps" in body else [step for job in body["jobs"].values() for step in job["steps"]]
    texts = [step.get("script") or step.get("run") or "" for step in steps]
    return [line for text in texts for line in text.strip().split("\n") if line]


def test_each_is_there_for_both_hosts():
    assert [path.stem for path in BUILDS] == NAMES
    assert [path.stem for path in WORKFLOWS] == sorted(
        [*NAMES, "review"]
    )  # Cloud Build previews and posts in one build
    assert [path.stem for path in IMAGES] == ["pipelines", "serving"]


def test_the_triggers_name_files_that_are_there():
    source = (ROOT / "infra" / "stacks" / "delivery.py").read_text()
    named = re.findall(r'what="(\w+)",\n\s+description=', source)
    assert {name for name in named if name in NAMES} == set(NAMES)


# What Cloud Build fills in by itself. Source: "Substituting variable values" of its documentation.
GIVEN_BY_CLOUD_BUILD = {"PROJECT_ID", "COMMIT_SHA", "REPO_FULL_NAME", "_PR_NUMBER", "_BASE_BRANCH"}


@pytest.mark.parametrize("path", BUILDS, ids=ids)
def test_a_build_uses_what_its_trigger_gives_and_nothing_else(path):
    source = (ROOT / "infra" / "stacks" / "delivery.py").read_text()
    calls = re.split(r"\n\s+(?:\w+ = )?Trigger\(", source)
    call = next(text for text in calls if f'what="{path.stem}"' in text)
    given = set(re.findall(r'"(_[A-Z_]+)":', call)) | {"_ENVIRONMENT"}
    used = set(re.findall(r"\$\{?(_?[A-Z]+(?:_[A-Z]+)*)\}?", path.read_text())) - GIVEN_BY_CLOUD_BUILD
    used -= {entry["env"] for entry in read(path).get("availableSecrets", {}).get("secretManager", [])}
    assert used <= given
    assert given - used <= {"_ENVIRONMENT"}


@pytest.mark.parametrize("path", BUILDS, ids=ids)
def test_a_build_has_the_shape_that_cloud_build_wants(path):
    body = read(path)
    assert set(body) <= BUILD_KEYS
    assert re.fullmatch(r"\d+s", body["timeout"])
    assert body["options"]["logging"] == "CLOUD_LOGGING_ONLY"  # a service account of ours has no default log bucket
    for step in body["steps"]:
        assert set(step) <= STEP_KEYS
        assert DIGEST.fullmatch(step["name"])
        assert ("script" in step) != ("args" in step)
        if "script" in step and "$_" in step["script"]:
            assert body["options"]["automapSubstitutions"]
    known = {entry["env"] for entry in body.get("availableSecrets", {}).get("secretManager", [])}
    assert {name for step in body["steps"] for name in step.get("secretEnv", [])} == known


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids)
def test_a_workflow_is_pinned_keyless_and_allowed_little(path):
    body = read(path)
    assert body["permissions"] == {}, "a job that does not ask for a permission has none"
    for job in body["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert job["permissions"]["contents"] == "read"
        logs_in = any("google-github-actions/auth" in step.get("uses", "") for step in job["steps"])
        assert job["permissions"].get("id-token") == ("write" if logs_in else None)
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", step["uses"])
            if "google-github-actions/auth" in step.get("uses", ""):
                assert set(step["with"]) == {"workload_identity_provider", "service_account"}
    assert len(re.findall(r"- uses: \S+@\S+ # v\d", path.read_text())) == path.read_text().count("- uses: ")


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids)
def test_a_workflow_runs_for_the_environments_whose_settings_choose_it(path):
    chosen, *jobs = read(path)["jobs"].values()
    for job in jobs:
        if job["needs"] != "environments":
            assert job["needs"] == "plan"  # which is left out when there is no environment, and so is this
            continue
        assert "needs.environments.outputs.names" in job["if"]
        if "strategy" in job:
            assert job["strategy"]["matrix"] == {"environment": "${{ fromJSON(needs.environments.outputs.names) }}"}
    assert chosen["steps"][-1]["run"].startswith("python3 -m ci.environments github_actions")


@pytest.mark.parametrize("system", CiSystem)
def test_one_setting_says_which_environments_a_system_serves(system):
    shared = [name for name in environment_names() if load_environment(name).git.ci is system]
    assert environments.served(system) == shared


def test_a_build_leaves_an_environment_of_another_system_alone(capsys):
    environments.main("github_actions", "dev", "false")
    assert "dev is not served by github_actions" in capsys.readouterr().out


@pytest.mark.parametrize("path", BUILDS, ids=ids)
def test_a_build_does_nothing_for_an_environment_of_another_system(path):
    lines = scripts(path)
    acts = [line for line in lines if "fonderie " in line or "images/build" in line]
    assert acts
    for line in acts:
        assert line.startswith((IF_SERVED, WAS_SERVED))
        if line.startswith(WAS_SERVED):
            assert f"{IF_SERVED}touch .served" in lines[: lines.index(line)]


def test_a_name_that_is_wrong_does_not_look_like_an_environment_of_another_system():
    with pytest.raises(FileNotFoundError):
        environments.main("cloud_build", "nowhere", "true")
    with pytest.raises(SystemExit, match="unknown CI system 'jenkins'"):
        environments.main("jenkins")


@pytest.mark.parametrize("path", WORKFLOWS, ids=ids)
def test_no_workflow_puts_foreign_text_into_a_script(path):
    for line in scripts(path):
        assert "${{" not in line


def test_the_code_of_a_pull_request_gets_neither_a_token_nor_credentials_nor_secrets():
    text = (ROOT / ".github/workflows/preview.yml").read_text()
    assert "pull_request_target" not in text
    for job in read(ROOT / ".github/workflows/preview.yml")["jobs"].values():
        assert job["permissions"] == {"contents": "read"}
        assert "environment" not in job
        for step in job["steps"]:
            assert "google-github-actions" not in step.get("uses", "")
            assert "secrets" not in str(step)
            assert "github.token" not in str(step)
            assert "GITHUB_TOKEN" not in step.get("env", {})


def test_who_plans_cannot_write_and_who_writes_runs_no_terraform():
    jobs = read(ROOT / ".github/workflows/review.yml")["jobs"]
    assert not {"write"} & {value for key, value in jobs["plan"]["permissions"].items() if key != "id-token"}
    assert "secrets" not in str(jobs["plan"])
    assert "--base HEAD " in str(jobs["plan"]), "the checkout's: the event's base may be anybody's branch"
    assert "base." not in str(jobs)
    assert "id-token" not in jobs["post"]["permissions"]
    assert "terraform" not in str(jobs["post"])
    for job in jobs.values():
        for step in job["steps"]:
            if "actions/checkout" in step.get("uses", ""):
                assert "ref" not in step["with"], "the protected branch's code, nobody else's"


def test_a_build_gives_the_token_to_no_step_that_runs_the_pull_requests_code():
    steps = {step["id"]: step for step in read(ROOT / "ci/cloudbuild/preview.yaml")["steps"]}
    assert [name for name, step in steps.items() if "secretEnv" in step] == ["base", "post"]
    assert "cd base\n" in steps["post"]["script"]


@pytest.mark.parametrize("path", [*BUILDS, *WORKFLOWS], ids=str)
def test_every_step_is_a_make_target_or_a_command_that_exists(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in (
        text.removesuffix(" || [ $? -le 2 ]")
        .removeprefix(IF_SERVED)
        .removeprefix(WAS_SERVED)
        .removeprefix("env -C .. ")
        for text in scripts(path)
    ):
        if line.startswith("make "):
            assert line.split()[1] in targets
        elif line.startswith(".venv/bin/fonderie "):
            words = [re.sub(r"\$\w+", "dev", word.strip('"')) for word in line.split()[1:]]
            parse(words)
        else:
            assert PLUMBING.fullmatch(line), line


@pytest.mark.parametrize("path", [*BUILDS, *WORKFLOWS, *IMAGES, ROOT / "ci/cloudbuild/tools.sh"], ids=str)
def test_no_secret_is_in_clear(path):
    text = re.sub(r"\$\{\{[^}]*\}\}", "x", path.read_text().replace("id-token: write", ""))
    text = text.replace('github-token: "x"', "")
    assert without_patterns(text) == text


@pytest.mark.parametrize("path", IMAGES, ids=ids)
def test_an_image_is_pinned_rootless_and_installed_by_hash(path):
    lines = path.read_text().split("\n")
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(DIGEST.fullmatch(base) for base in bases)
    users = [line for line in lines if line.startswith("USER ")]
    assert users
    assert not re.search(r"\b(root|0)\b", users[-1].split()[1])
    assert "--require-hashes" in path.read_text()
    for line in lines:
        if line.startswith("COPY ") and "--from" not in line:
            assert (ROOT / line.split()[1]).exists()
        assert not line.startswith("ADD ")
    requirements = (ROOT / "requirements" / f"{path.stem}.txt").read_text()
    pins = re.split(r"^(?=\S)", requirements, flags=re.MULTILINE)
    assert all("--hash=sha256:" in pin for pin in pins if "==" in pin.split(" ")[0])


def test_the_script_of_tools_is_valid_shell_and_checks_what_it_fetches():
    path = ROOT / "ci/cloudbuild/tools.sh"
    subprocess.run(["sh", "-n", path], check=True)
    text = path.read_text()
    assert text.count('fetch "http') == text.count("_SHA256=") == 3
    assert "sha256sum --check" in text


def test_the_steps_that_can_run_here_run(tmp_path):
    """The preview's own step, on this repository, with nothing changed and no credentials."""
    environment = {
        "HOME": str(tmp_path),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "FONDERIE_HOME": str(tmp_path / "home"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "fonderie.cli.main", "preview", "--env", "dev", "--base", "HEAD", "--head", "HEAD",
         "--against", "sandbox", "--no-policy", "--out", str(tmp_path / "summary.md")],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nothing changes" in (tmp_path / "summary.md").read_text()


# Docker with a registry whose tags never move, in files: what is in "registry" is there.
DOCKER = """#!/bin/sh
echo "$@" >>"$REGISTRY_FOLDER/calls"
case "$1" in
manifest) cat "$REGISTRY_FOLDER/$(echo "$4" | tr -c 'a-z0-9\\n' _)" 2>/dev/null ;;
build) echo "$5" >"$REGISTRY_FOLDER/built" ;;
push)
    file="$REGISTRY_FOLDER/$(echo "$2" | tr -c 'a-z0-9\\n' _)"
    test ! -e "$file" || { echo "denied: manifest has an immutable tag" >&2; exit 1; }
    printf '{\\n\\t"Descriptor": {\\n\\t\\t"digest": "sha256:%064d",\\n\\t}\\n}\\n' "${#2}" >"$file" ;;
esac
"""


def test_images_are_built_once_a_commit_and_a_second_run_leaves_them(tmp_path):
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    told = {
        "PATH": f"{docker.parent}:/usr/bin:/bin",
        "REGISTRY_FOLDER": str(tmp_path),
        "REGISTRY": "europe-west1-docker.pkg.dev/acme/dev-images",
        "TAG": "abc123",
    }

    def build():
        (tmp_path / "calls").write_text("")
        command = ["sh", "ci/images/build.sh"]
        done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        calls = (tmp_path / "calls").read_text().splitlines()
        return done.stdout, [call.split()[0] for call in calls if not call.startswith("manifest")]

    first, again = build(), build()

    assert first[1] == ["build", "push", "build", "push"]
    assert again[1] == []
    assert again[0].count("is there already") == 2
    for name in ("pipelines", "serving"):
        line = rf'^{name} = "europe-west1-docker.pkg.dev/acme/dev-images/{name}@sha256:[0-9]{{64}}"$'
        assert all(re.search(line, said, re.MULTILINE) for said, _ in (first, again))


def test_a_build_of_images_starts_when_what_they_are_made_of_changes():
    """What the Dockerfiles copy, what they install, how they are built, and what is rendered for the clusters."""
    copied = {
        word
        for path in IMAGES
        for line in path.read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    made_of = {f"{word}/**" if (ROOT / word).is_dir() else word for word in copied}
    wanted = {*made_of, "ci/images/**", "infra/kubernetes/**"}
    assert set(IN_THE_IMAGES) == wanted
    assert set(read(ROOT / ".github/workflows/images.yml")[True]["push"]["paths"]) == wanted

"""Laws that hold for any plan at all, however odd: nothing breaks, no secret is shown, no destroy is left out."""

import json
import re

from hypothesis import HealthCheck, given, settings
from markdown_it import MarkdownIt

from ci.preview.assemble import INCOMPLETE, Failed, Material, assemble
from ci.preview.fingerprint import record
from ci.preview.infrastructure.outside import changed_outside
from ci.preview.masking.secrets import Masker
from ci.preview.masking.values import Reader
from ci.preview.render.comment import page, render
from fonderie.terraform.plan import read_plan
from tests.unit.ci.preview.odd_plans import SECRET, destroyed, plans

HEADING = re.compile(
    r"### .+ Preview: |#### (⚠️ Destroyed|⚠️ Data|Access|Not in|Models|New versions|Changed outside|Policy|Cost|Quota)"
)
MARKS = MarkdownIt("commonmark", {"html": True}).enable("table")


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans())
def test_any_plan_is_told_whole_and_without_its_secrets(plan):
    text = json.dumps(plan)
    read = read_plan(text, environment="prod", stack="prod-data", salt="lineage")
    masks = [one.mask for one in (*read.changes, *read.drifted, *read.outputs)] + [mask for _, mask in read.elsewhere]
    marked = "true" in json.dumps(masks)
    failed = (Failed("prod", "prod-runtime", f"it said {SECRET if marked else 'nothing'}"),)
    made = assemble(Material((read,), failed))
    comment, html, data = render(made), page(made), made.model_dump_json()
    kept = record("prod", [read]).model_dump_json()
    told = json.dumps([change.model_dump(mode="json") for change in changed_outside(read, Reader(Masker([read])))])

    for written in (comment, html, data, kept, told):
        written.encode("utf-8")
        assert SECRET not in written
    assert len(comment) < 60_000
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u200b]", comment)
    assert len(made.losses) == len(destroyed(plan))
    assert (INCOMPLETE in comment) == plan["errored"]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(plans())
def test_nothing_of_any_plan_is_read_as_markdown_or_html(plan):
    read = read_plan(json.dumps(plan), environment="prod", stack="prod-data")
    written = render(assemble(Material((read,))))
    tokens = [inner for token in MARKS.parse(written) for inner in (token, *(token.children or []))]
    in_code = False  # inside <code>, entities are text, and nobody is mentioned
    for token in tokens:
        assert token.type not in ("link_open", "image", "blockquote_open")
        if token.type in ("html_block", "html_inline"):
            plain = re.sub(r"</?(details|summary|b|code|sub)>|<!-- fonderie:preview -->", "", token.content)
            assert "<" not in plain
            in_code = token.content == "<code>" or (in_code and token.content != "</code>")
        if token.type == "text" and not in_code:
            assert "@everyone" not in token.content
    headings = [line for line in written.split("\n") if line.startswith("#")]
    assert all(HEADING.match(line) for line in headings)

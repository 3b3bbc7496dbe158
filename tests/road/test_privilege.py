"""Least privilege, proved: without any one permission or grant some call of the road is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from infra.settings import environment_names
from tests.road.conftest import TOKEN
from tests.road.privilege import CallsFile, Change, Grant, HeldPermission, Mutant, mutations, walk
from tests.road.project import deploy, opened

pytestmark = pytest.mark.e2e


@pytest.mark.prove(every=len(environment_names()))
@pytest.mark.parametrize("name", environment_names())
def test_every_call_is_allowed_and_none_is_without_any_one_permission_or_grant(
    name: str, tmp_path: Path, sample: Callable[[Sequence[Change], int], Sequence[Change]]
) -> None:
    calls = CallsFile(tmp_path / "calls.jsonl")
    with opened(name, tmp_path, calls=calls.file) as project:
        deploy(project, tmp_path, TOKEN)
        walk(project, calls, tmp_path)
        assert [str(needed) for needed in calls.refused] == []

        mutant, changes = Mutant(project.world.cloud), sample(mutations(project), 7)
        noticed = {str(change): mutant.notices(calls.needed, change) for change in changes}
        unneeded = [change for change, needed in noticed.items() if needed is None]
        assert unneeded == [], "no call of any flow needs " + "; ".join(unneeded)
        assert {type(change) for change in changes} == {Grant, HeldPermission}

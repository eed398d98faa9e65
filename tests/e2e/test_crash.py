"""SIGKILL, faults and an outage longer than the shortest window, against the real process."""

import sys
from pathlib import Path

import pytest

from tests.crashing import Plan, crash

pytestmark = pytest.mark.e2e

PLAN = Plan(seed=4, step_s=1.5, kills=(9, 8), dead_steps=20, lasts_s=160)


async def test_twenty_kills_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, wrong = await crash(PLAN, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"\n{table}\n")
    assert not wrong, "\n".join(wrong[:20])

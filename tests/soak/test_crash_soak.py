"""The crash test of tests/e2e, longer: more kills, and an outage of each kind. CRASH_SEED repeats one."""

import os
import secrets
import sys
from pathlib import Path

import pytest

from tests.crashing import Plan, crash

pytestmark = pytest.mark.e2e


async def test_kills_a_dead_daemon_and_a_dead_provider_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("CRASH_SEED") or secrets.randbelow(10**6))
    plan = Plan(seed=seed, step_s=2.0, kills=(14, 12, 10), dead_steps=40, refused_steps=24, lasts_s=390)
    with capsys.disabled():
        sys.stdout.write(f"\nseed {seed}\n")
    table, wrong = await crash(plan, tmp_path)
    with capsys.disabled():
        sys.stdout.write(f"{table}\n")
    assert not wrong, "\n".join(wrong[:20])

"""What an account may be asked for, with a provider that limits, and with accounts beside each other."""

import asyncio
import json
from random import Random

from exporter.clock import SystemClock
from exporter.gigas import AccountClient, ClientOptions, RequestDone, open_session
from tests.exposition import Page
from tests.running import Watched, daemon, provider
from tests.unit.gigas.clients import key
from tests.waiting import eventually

TWO = {
    f"ACCOUNTS__{index}__{name}": value
    for index, (account, label) in enumerate((("17893", "small"), ("17894", "large")))
    for name, value in (("ID", account), ("NAME", label), ("API_KEY", "demo-key"))
}
UNTIL = "gigas_vm_cpu_usage_timestamp_seconds"


async def test_nine_tenths_of_a_limit_are_used_and_hardly_anything_is_refused() -> None:
    per_second, wanted = 150, 2_000
    limit = {"kind": "limit", "per_second": per_second, "retry_after": 1}
    codes: list[str] = []

    def note(event: object) -> None:
        if isinstance(event, RequestDone):
            codes.append(event.code)

    options = ClientOptions(url="", user_agent="gigas-exporter/test")
    async with provider(faults=json.dumps([limit])) as simulated, open_session(options) as session:
        vm_id = next(iter(await simulated.vms()))
        clock = SystemClock()
        client = AccountClient(
            account="production",
            account_id="17893",
            credentials=key(),
            options=ClientOptions(url=simulated.url, user_agent="gigas-exporter/test"),
            session=session,
            clock=clock,
            random=Random(1),  # noqa: S311 - jitter
            on_event=note,
        )

        async def work() -> None:
            while codes.count("200") < wanted:
                await client.cpu_stats(vm_id, "-1H")

        started_s = clock.monotonic_s()
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(work())
        took_s = clock.monotonic_s() - started_s
        assert codes.count("200") / took_s >= 0.9 * per_second
        assert codes.count("429") < 0.02 * len(codes)


async def test_an_account_that_waits_for_its_own_places_delays_no_other() -> None:
    async with provider(accounts=("17893", "17894"), vms=40) as simulated:
        # Twenty-four looks would be due at any time, in four places.
        await simulated.faults({"kind": "hang", "seconds": 0.3, "account": "17894"})
        async with daemon(simulated.url, API__MAX_CONCURRENCY="4", **TWO) as watched:
            await eventually(lambda: both_are_looked_at(watched))
            before = await watched.page()
            await eventually(lambda: moved_on(watched, before, "small", by_s=6), within_s=9)
            assert not await moved_on(watched, before, "large", by_s=6)


async def both_are_looked_at(watched: Watched) -> bool:
    page = await watched.page()
    return len(ends(page, "small")) > 30 and bool(ends(page, "large"))


def ends(page: Page, account: str) -> dict[str, float]:
    return {found["vm_id"]: at for found, at in page.each(UNTIL, account=account)}


async def moved_on(watched: Watched, before: Page, account: str, *, by_s: float) -> bool:
    """Whether every VM of an account that had statistics has those of so much later."""
    now = ends(await watched.page(), account)
    return all(now.get(vm_id, 0) >= at + by_s for vm_id, at in ends(before, account).items())

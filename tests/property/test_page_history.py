"""However a fleet has come to be what it is, its page is the one that it would have if it had always been so."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.clock import SystemClock
from exporter.fleet import AccountView, Fleet, Vm
from exporter.metrics import Own, Page, Selection
from tests.builders import cpu, interface, vm

ACCOUNTS = ("production", "test")
OWN = Own(version="1.2.3")
WITHOUT_OWN = Selection(collectors=frozenset({"inventory", "cpu", "traffic"}))

cpus = st.one_of(
    st.none(),
    st.builds(
        lambda busy_s, owed_s: cpu(busy_s=busy_s, owed_s=owed_s), st.floats(0, 1e9), st.sampled_from([0.0, 300.0])
    ),
)
interfaces = st.lists(st.builds(lambda bytes_: interface(receive_bytes=bytes_), st.floats(0, 1e12)), max_size=1).map(
    tuple
)


@st.composite
def changed(draw: st.DrawFn, account: str) -> list[Vm]:
    """Some VMs anew: a few that change, or many that come."""
    many = draw(st.booleans())
    first, count = draw(st.integers(0, 600)), draw(st.integers(200, 400) if many else st.integers(0, 4))
    usage, traffic = draw(cpus), draw(interfaces)
    named = draw(st.sampled_from(["web", 'quoted "web"']))
    status = draw(st.sampled_from(["online", "offline", "migrating"]))
    more: dict[str, Any] = {"cpu": usage, "interfaces": traffic, "status": status}
    return [vm(account, vm_id=str(number), label=named, **more) for number in range(first, first + count)]


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, Sequence[Vm], range, AccountView]:
    account = draw(st.sampled_from(ACCOUNTS))
    first, count = draw(st.integers(0, 800)), draw(st.sampled_from([0, 0, 1, 300]))
    view = AccountView(name=account, account_id=account, up=draw(st.booleans()), listed=True)
    return account, draw(changed(account)), range(first, first + count), view


async def lines(page: Page) -> list[str]:
    """In which run a VM is depends on how many there were: in the order of the page its lines may differ."""
    return sorted(b"".join((await page.exposition(WITHOUT_OWN, openmetrics=False)).blocks).decode().splitlines())


async def lived(history: Sequence[tuple[str, Sequence[Vm], range, AccountView]]) -> None:
    clock, fleet = SystemClock(), Fleet()
    fleet.keep_accounts([AccountView(name=name, account_id=name) for name in ACCOUNTS])
    page = Page(fleet=fleet, own=OWN, clock=clock)
    for account, news, gone, view in history:
        fleet.replace(account, news, map(str, gone))
        fleet.set_account(view)
        await page.refresh()
        fresh = Page(fleet=fleet, own=OWN, clock=clock)
        await fresh.refresh()
        assert await lines(page) == await lines(fresh)


@settings(max_examples=15)
@given(st.lists(steps(), min_size=1, max_size=5))
def test_a_page_tells_what_is_known_whatever_was_known_before(
    history: list[tuple[str, Sequence[Vm], range, AccountView]],
) -> None:
    asyncio.run(lived(history))

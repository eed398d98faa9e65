"""What is known is replaced whole, and subscribers hear of what changed."""

import math

from exporter.clock import Stint, SystemClock
from exporter.fleet import AccountView, Change, Fleet, Outcome, aged
from tests.builders import cpu, interface, vm
from tests.clocks import LaboriousClock


def watched(*names: str) -> tuple[Fleet, list[Change]]:
    fleet = Fleet()
    fleet.keep_accounts([AccountView(name=name, account_id=name) for name in names])
    heard: list[Change] = []
    fleet.subscribe(heard.append)
    return fleet, heard


def test_a_new_vm_is_told_as_membership() -> None:
    fleet, heard = watched("production")
    fleet.replace("production", [vm()])
    assert heard == [Change("production", frozenset({"24"}), membership=True)]


def test_the_same_snapshot_again_is_no_news() -> None:
    fleet, heard = watched("production")
    fleet.replace("production", [vm()])
    fleet.replace("production", [vm()])
    assert len(heard) == 1


def test_a_vm_that_changed_is_told_without_membership() -> None:
    fleet, heard = watched("production")
    fleet.replace("production", [vm()])
    fleet.replace("production", [vm(locked=True)])
    assert heard[1:] == [Change("production", frozenset({"24"}), membership=False)]


def test_an_account_that_is_not_watched_any_more_takes_its_vms_along() -> None:
    fleet, heard = watched("production", "test")
    fleet.replace("test", [vm("test")])
    heard.clear()
    fleet.keep_accounts([AccountView(name="production", account_id="production")])
    assert not fleet.vms("test")
    assert [change.account for change in heard] == ["production", "test"]
    fleet.replace("test", [vm("test")])
    assert not fleet.vms("test")


def test_what_is_known_of_an_account_that_stays_is_kept() -> None:
    fleet, _ = watched("production")
    fleet.set_account(AccountView(name="production", account_id="production", up=True, listed=True))
    fleet.keep_accounts([AccountView(name="production", account_id="production", labels={"team": "web"})])
    view = fleet.account("production")
    assert view is not None
    assert (view.up, dict(view.labels)) == (True, {"team": "web"})


def test_an_account_of_another_id_begins_anew_under_the_same_name() -> None:
    fleet, _ = watched("production")
    fleet.replace("production", [vm()])
    fleet.keep_accounts([AccountView(name="production", account_id="other")])
    assert not fleet.vms("production")


def test_ratios_and_rates_are_withdrawn_when_they_are_too_old_and_counters_stand_still() -> None:
    fresh = aged(vm(cpu=cpu(), interfaces=(interface(),)), now_s=1_999.0)
    assert fresh.ages_at == 2_000.0
    assert fresh.cpu == cpu()
    old = aged(fresh, now_s=2_000.0)
    assert old.cpu == cpu(ratio=None)
    assert old.interfaces == (interface(receive_bytes_per_s=None, transmit_bytes_per_s=None),)
    assert (old.cpu_outcome, old.traffic_outcome) == (Outcome.STALE, Outcome.STALE)
    assert old.ages_at == math.inf


def test_an_offline_vm_shows_no_ratio_and_no_rate() -> None:
    off = aged(vm(status="offline", cpu=cpu(), interfaces=(interface(),)), now_s=0.0)
    assert off.cpu == cpu(ratio=None)
    assert not off.interfaces[0].shows_rates


async def test_time_alone_changes_what_is_shown() -> None:
    fleet, heard = watched("production")
    fleet.replace("production", [aged(vm(cpu=cpu()), now_s=0.0)])
    heard.clear()
    await fleet.expire(Stint(SystemClock()), now_s=1_999.0)
    assert not heard
    await fleet.expire(Stint(SystemClock()), now_s=2_000.0)
    assert heard == [Change("production", frozenset({"24"}), membership=False)]


async def test_what_is_new_while_a_fleet_ages_is_kept() -> None:
    fleet, _ = watched("production")
    old = [aged(vm(vm_id=str(n), cpu=cpu()), now_s=0.0) for n in range(3)]
    fleet.replace("production", old)
    news = aged(vm(vm_id="2", cpu=cpu(stale_seen_at=9_000.0)), now_s=0.0)

    class Telling(LaboriousClock):
        async def give_way(self) -> None:
            fleet.replace("production", [news], gone=["1"])

    await fleet.expire(Stint(Telling()), now_s=2_000.0)
    known = fleet.vms("production")
    assert known.keys() == {"0", "2"}
    assert known["0"].cpu_outcome is Outcome.STALE
    assert known["2"] is news

"""The page, kept ready: a scrape takes blocks that are there and waits for nothing.

A run is some VMs of an account; a block is one family's lines for one run. When a VM changes, its run is rendered anew
in the background and replaced whole, so that a VM's series always come from one snapshot. An image is immutable: a
slow reader delays nobody and sees one state.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from exporter.clock import Clock
from exporter.fleet import AccountView, Fleet
from exporter.metrics.catalogue import FAMILIES, AccountFamily, Family, OwnFamily, VmFamily
from exporter.metrics.own import Own
from exporter.metrics.render import account_lines, openmetrics_header, text_header, vm_blocks

__all__ = ["COLLECTORS", "Exposition", "Page", "Selection"]

_VMS_PER_RUN = 64
"""Rendering a run is one step of the event loop: about 3 ms for so many VMs of 25 samples."""
_PAUSE_S = 0.2
"""Between two refreshes, so that answers that come one by one are rendered together."""

_VM_FAMILIES = tuple(family for family in FAMILIES if isinstance(family, VmFamily))
_ACCOUNT_FAMILIES = tuple(family for family in FAMILIES if isinstance(family, AccountFamily))
_RENDERED = tuple(family for family in FAMILIES if not isinstance(family, OwnFamily))
COLLECTORS = tuple(dict.fromkeys(family.collector for family in FAMILIES))

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of the page is wanted; None: all accounts, all collectors."""

    accounts: frozenset[str] | None = None
    collectors: frozenset[str] | None = None

    def takes(self, family: Family) -> bool:
        return self.collectors is None or family.collector in self.collectors


@dataclass(frozen=True, slots=True)
class Exposition:
    """A page to be written: neighbouring bytes of it in blocks, each of them immutable."""

    content_type: str
    blocks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    vm_ids: tuple[str, ...]
    blocks: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class _Image:
    """One account, rendered."""

    view: AccountView | None = None
    blocks: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    runs: tuple[_Run, ...] = ()


@dataclass(slots=True)
class _Stale:
    """What of an account's image is not true any more."""

    vm_ids: set[str] = field(default_factory=set)
    regroup: bool = False


class Page:
    """Subscribes to the fleet. `run` is an owned task; `exposition` may be called at any time."""

    def __init__(self, *, fleet: Fleet, own: Own, clock: Clock) -> None:
        self._fleet = fleet
        self._own = own
        self._clock = clock
        self._images: dict[str, _Image] = {}
        self._stale: defaultdict[str, _Stale] = defaultdict(_Stale)
        self._news = asyncio.Event()
        self._refreshing = asyncio.Lock()
        for account in fleet.accounts():
            self._note(account.name, (), membership=True)
        fleet.subscribe(lambda change: self._note(change.account, change.vm_ids, membership=change.membership))

    def _note(self, account: str, vm_ids: Iterable[str], *, membership: bool) -> None:
        stale = self._stale[account]
        stale.vm_ids.update(vm_ids)
        stale.regroup |= membership
        self._news.set()

    async def run(self) -> None:
        """Render what changes until cancelled."""
        while True:
            await self._news.wait()
            await self.refresh()
            await self._clock.sleep(_PAUSE_S)

    async def refresh(self) -> None:
        """Render what has changed since the last time, a run at a time."""
        async with self._refreshing:  # Two at a time could put an older image over a newer one.
            self._news.clear()
            for account in self._fleet.accounts():
                if account.name in self._stale:
                    await self._refresh(account.name)
            watched = [account.name for account in self._fleet.accounts()]
            self._images = {name: self._images[name] for name in watched if name in self._images}

    async def _refresh(self, account: str) -> None:
        """Replace an account's image. What changes meanwhile is noted, and rendered the next time."""
        stale = self._stale.pop(account)
        try:
            image = await self._rendered(account, stale)
        except Exception:
            # It stays to be done: else the page would show what is not true any more until that VM changes again.
            self._note(account, stale.vm_ids, membership=stale.regroup)
            raise
        if image is not None:
            self._images[account] = image

    async def _rendered(self, account: str, stale: _Stale) -> _Image | None:
        """The account as it is now. Held as a copy: counts and VMs on one page are of one instant."""
        view, vms = self._fleet.account(account), dict(self._fleet.vms(account))
        if view is None:
            return None
        before = self._images.get(account, _Image()).runs
        kept = {run.vm_ids: run for run in before if stale.vm_ids.isdisjoint(run.vm_ids)}
        runs = []
        for vm_ids in _groups(vms) if stale.regroup else [run.vm_ids for run in before]:
            run = kept.get(vm_ids)
            if run is None:
                run = _Run(vm_ids, vm_blocks(_VM_FAMILIES, [vms[vm_id] for vm_id in vm_ids]))
                await self._clock.sleep(0)
            runs.append(run)
        blocks = {family.name: account_lines(family, view, vms.values()) for family in _ACCOUNT_FAMILIES}
        return _Image(view, blocks, tuple(runs))

    def shown(self, account: str) -> AccountView | None:
        """What the page says of an account; None before it says anything."""
        image = self._images.get(account)
        return image.view if image is not None else None

    def exposition(self, selection: Selection, *, openmetrics: bool) -> Exposition:
        """The last known state, in the format asked for."""
        images = [
            image
            for account, image in self._images.items()
            if selection.accounts is None or account in selection.accounts
        ]
        header = openmetrics_header if openmetrics else text_header
        blocks: list[bytes] = []
        for family in _RENDERED:
            lines = list(_lines(images, family.name)) if selection.takes(family) else []
            if lines:
                blocks += (header(family), *lines)
        if selection.collectors is None or "exporter" in selection.collectors:
            own = self._own.openmetrics if openmetrics else self._own.text
            blocks.append(own(accounts=selection.accounts))
        if openmetrics:
            blocks.append(b"# EOF\n")
        return Exposition(_OPENMETRICS if openmetrics else _TEXT, tuple(blocks))


def _groups(vms: Iterable[str]) -> list[tuple[str, ...]]:
    """VMs in runs, in the order of their ids (numbers by value)."""
    ids = sorted(vms, key=lambda vm_id: (len(vm_id), vm_id))
    return [tuple(ids[first : first + _VMS_PER_RUN]) for first in range(0, len(ids), _VMS_PER_RUN)]


def _lines(images: list[_Image], family: str) -> Iterator[bytes]:
    """The blocks of a family, neighbours of one another: a family must not be spread over the page."""
    for image in images:
        if image.blocks.get(family):
            yield image.blocks[family]
        for run in image.runs:
            if family in run.blocks:
                yield run.blocks[family]

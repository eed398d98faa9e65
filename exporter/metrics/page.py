"""The page, kept ready: a scrape takes blocks that are there and waits for nothing.

A run is some VMs of an account; a block is one family's lines for one run. When a VM changes, its run is rendered anew
in the background and replaced whole, so that a VM's series always come from one snapshot. An image is immutable: a
slow reader delays nobody and sees one state.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from exporter.clock import Clock
from exporter.fleet import AccountView, Change, Fleet, Vm
from exporter.metrics.catalogue import FAMILIES, AccountFamily, Family, OwnFamily, VmFamily
from exporter.metrics.own import Own
from exporter.metrics.render import account_lines, openmetrics_header, text_header, vm_blocks

__all__ = ["COLLECTORS", "Exposition", "Page", "Selection"]

_VMS_PER_RUN = 64
"""Rendering a run is one step of the event loop: about 5 ms for so many VMs of 25 samples."""
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


class Page:
    """Subscribes to the fleet. `run` is an owned task; `exposition` may be called at any time."""

    def __init__(self, *, fleet: Fleet, own: Own, clock: Clock) -> None:
        self._fleet = fleet
        self._own = own
        self._clock = clock
        self._images: dict[str, _Image] = {}
        self._changed: defaultdict[str, set[str]] = defaultdict(set)
        self._regroup: set[str] = set()
        self._news = asyncio.Event()
        fleet.subscribe(self._note)

    def _note(self, change: Change) -> None:
        self._changed[change.account] |= change.vm_ids
        if change.membership:
            self._regroup.add(change.account)
        self._news.set()

    async def run(self) -> None:
        """Render what changes until cancelled."""
        while True:
            await self._news.wait()
            await self.refresh()
            await self._clock.sleep(_PAUSE_S)

    async def refresh(self) -> None:
        """Render what has changed since the last time, a run at a time."""
        self._news.clear()
        changed, self._changed = self._changed, defaultdict(set)
        regroup, self._regroup = self._regroup, set()
        watched = [account.name for account in self._fleet.accounts()]
        for name in watched:
            new = name not in self._images
            if new or name in changed:
                await self._render(name, changed[name], regroup=new or name in regroup)
        self._images = {name: self._images[name] for name in watched}

    async def _render(self, account: str, changed: set[str], *, regroup: bool) -> None:
        """Replace an account's image. What changes meanwhile is noted, and rendered the next time."""
        image = self._images.get(account, _Image())
        groups = self._groups(account) if regroup else [run.vm_ids for run in image.runs]
        kept = {run.vm_ids: run for run in image.runs}
        runs = []
        for vm_ids in groups:
            run = kept.get(vm_ids)
            if run is None or not changed.isdisjoint(vm_ids):
                vms = self._fleet.vms(account)
                run = _Run(vm_ids, vm_blocks(_VM_FAMILIES, [vms[vm_id] for vm_id in vm_ids if vm_id in vms]))
                await self._clock.sleep(0)
            runs.append(run)
        view = self._fleet.account(account)
        if view is not None:
            vms_now: Sequence[Vm] = tuple(self._fleet.vms(account).values())
            blocks = {family.name: account_lines(family, view, vms_now) for family in _ACCOUNT_FAMILIES}
            self._images[account] = _Image(view, blocks, tuple(runs))

    def _groups(self, account: str) -> list[tuple[str, ...]]:
        """The account's VMs in runs, in the order of their ids (numbers by value)."""
        ids = sorted(self._fleet.vms(account), key=lambda vm_id: (len(vm_id), vm_id))
        return [tuple(ids[first : first + _VMS_PER_RUN]) for first in range(0, len(ids), _VMS_PER_RUN)]

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
            blocks.append(self._own.openmetrics() if openmetrics else self._own.text())
        if openmetrics:
            blocks.append(b"# EOF\n")
        return Exposition(_OPENMETRICS if openmetrics else _TEXT, tuple(blocks))


def _lines(images: list[_Image], family: str) -> Iterator[bytes]:
    """The blocks of a family, neighbours of one another: a family must not be spread over the page."""
    for image in images:
        if image.blocks.get(family):
            yield image.blocks[family]
        for run in image.runs:
            if family in run.blocks:
                yield run.blocks[family]

"""The page, kept ready: a scrape takes blocks that are there and waits for nothing.

When a VM changes, what it changes of its run is rendered anew in the background and replaced whole, so that a VM's
series always come from one snapshot. An image is immutable: a slow reader delays nobody and sees one state.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from types import MappingProxyType

from exporter.clock import Clock, Stint
from exporter.fleet import AccountView, Fleet, Vm
from exporter.metrics.blocks import Stretch, gzip_member
from exporter.metrics.catalogue import FAMILIES, AccountFamily, Family, OwnFamily
from exporter.metrics.own import Own
from exporter.metrics.plain_file import PlainFile
from exporter.metrics.render import account_lines, openmetrics_header, tally_lines, text_header
from exporter.metrics.runs import TALLY_FAMILIES, VM_FAMILIES, Run, renewed, run_of, runs_for, summed

__all__ = ["COLLECTORS", "Exposition", "Page", "Selection"]

_PAUSE_S = 0.5
"""Between two refreshes, so that answers that come one by one are rendered together."""
_PAUSE_PER_COST = 75
"""A refresh is followed by a pause of so many times what it cost: rendering takes a seventy-fifth of a core, and more
only where it costs over a fifteenth of a second. Where what 70 polls a second change took a hundredth already, a
hundredth was never enough, and the pause always the longest.
"""
_LONGEST_PAUSE_S = 5.0
"""Whatever it costs: nobody should wait for longer."""

_DEFLATED_AT_ONCE = 2**16
"""So much of what is rendered for a page is compressed in one go, 0.1 ms: family by family it took ten times as long.
"""

_LARGE_BYTES = 4 * 2**20
"""A plain page of this size is sent from a file: smaller ones are sooner sent than put into one."""

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

    @property
    def tells_own(self) -> bool:
        """Whether what the daemon says of itself is wanted."""
        return self.collectors is None or "exporter" in self.collectors

    def takes(self, family: Family) -> bool:
        return self.collectors is None or family.collector in self.collectors


_EVERYTHING = Selection()
_PLAIN_BYTES: Callable[[Stretch], int] = attrgetter("plain_bytes")


@dataclass(frozen=True, slots=True)
class Exposition:
    """A page to be written: what was `kept` ready, and after it the lines that were rendered for this page. `file`: a
    file that holds the former, plain.
    """

    content_type: str
    kept: tuple[Stretch, ...]
    rendered: tuple[bytes, ...]
    file: PlainFile | None = None

    @property
    def plain_bytes(self) -> int:
        """How long the plain page is."""
        return sum(map(_PLAIN_BYTES, self.kept)) + sum(map(len, self.rendered))

    @property
    def blocks(self) -> tuple[bytes, ...]:
        """The plain page in pieces, each of them immutable."""
        return (*_plain(self.kept), *self.rendered)

    async def gzip_blocks(self, stint: Stint) -> tuple[bytes, ...]:
        """The same as one member of gzip. Only the lines of this page are compressed for it, a step at a time."""
        lines, stretches = b"".join(self.rendered), [*self.kept]
        for start in range(0, len(lines), _DEFLATED_AT_ONCE):
            stretches.append(Stretch.of_lines(lines[start : start + _DEFLATED_AT_ONCE]))
            await stint.part_done()
        return gzip_member(stretches)


def _plain(stretches: Iterable[Stretch]) -> Iterator[bytes]:
    return itertools.chain.from_iterable(stretch.plain for stretch in stretches)


@dataclass(frozen=True, slots=True)
class _Image:
    """One account, rendered: by family what stands on the page."""

    view: AccountView | None = None
    runs: tuple[Run, ...] = ()
    stretches: Mapping[str, Stretch] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class _Stale:
    """What of an account's image is not true any more: VMs that changed, and whether some came or went."""

    vm_ids: set[str] = field(default_factory=set)
    membership: bool = False


class Page:
    """Subscribes to the fleet. `run` is an owned task; `exposition` may be called at any time."""

    def __init__(self, *, fleet: Fleet, own: Own, clock: Clock) -> None:
        self._fleet = fleet
        self._own = own
        self._clock = clock
        self._images: dict[str, _Image] = {}
        self._whole: dict[bool, tuple[Stretch, ...]] = {}
        """All that the images hold, by format (whether it is OpenMetrics), since it was asked for."""
        self._joined: dict[bool, Stretch] = {}
        """The same as one, since it was asked for compressed."""
        self._files: dict[bool, PlainFile] = {}
        """The same for those that were asked for plain."""
        self._stale: defaultdict[str, _Stale] = defaultdict(_Stale)
        self._news = asyncio.Event()
        self._refreshing = asyncio.Lock()
        self._text_headers = {family.name: Stretch.of_lines(text_header(family)) for family in _RENDERED}
        self._openmetrics_headers = {family.name: Stretch.of_lines(openmetrics_header(family)) for family in _RENDERED}
        for account in fleet.accounts():
            self._note(account.name, fleet.vms(account.name), membership=True)
        fleet.subscribe(lambda change: self._note(change.account, change.vm_ids, membership=change.membership))

    def _note(self, account: str, vm_ids: Iterable[str], *, membership: bool) -> None:
        stale = self._stale[account]
        stale.vm_ids.update(vm_ids)
        stale.membership |= membership
        self._news.set()

    async def run(self) -> None:
        """Render what changes until cancelled."""
        while True:
            await self._news.wait()
            spent_s = await self.refresh()
            await self._clock.sleep(min(max(_PAUSE_S, _PAUSE_PER_COST * spent_s), _LONGEST_PAUSE_S))

    async def refresh(self) -> float:
        """Render what has changed since the last time, a step at a time; return what that took, in seconds."""
        async with self._refreshing:  # Two at a time could put an older image over a newer one.
            self._news.clear()
            stint = Stint(self._clock)
            for account in self._fleet.accounts():
                if account.name in self._stale:
                    await self._refresh(account.name, stint)
            watched = [account.name for account in self._fleet.accounts()]
            self._images = {name: self._images[name] for name in watched if name in self._images}
            self._forget_pages()
            return stint.spent_s

    async def _refresh(self, account: str, stint: Stint) -> None:
        """Replace an account's image. What changes meanwhile is noted, and rendered the next time."""
        stale = self._stale.pop(account)
        try:
            image = await self._rendered(account, stale, stint)
        except Exception:
            # It stays to be done: else the page would show what is not true any more until that VM changes again.
            self._note(account, stale.vm_ids, membership=stale.membership)
            raise
        if image is not None:
            self._images[account] = image
            self._forget_pages()

    def _forget_pages(self) -> None:
        """What was made of the images before is not what they hold now. Whoever is sending it goes on."""
        self._whole.clear()
        self._joined.clear()
        self._files.clear()

    async def _rendered(self, account: str, stale: _Stale, stint: Stint) -> _Image | None:
        """The account as it is now. Held as a copy: counts and VMs on one page are of one instant."""
        view, vms = self._fleet.account(account), dict(self._fleet.vms(account))
        if view is None:
            return None
        before = self._images.get(account, _Image())
        runs = await _renewed(before.runs, vms, stale, stint)
        return _Image(view, runs, await _stretches(view, runs, before.stretches, stint))

    def shown(self, account: str) -> AccountView | None:
        """What the page says of an account; None before it says anything."""
        image = self._images.get(account)
        return image.view if image is not None else None

    @property
    def size_bytes(self) -> tuple[int, int]:
        """How much is kept ready: plain, and compressed."""
        stretches = [stretch for image in self._images.values() for stretch in image.stretches.values()]
        return (
            sum(stretch.plain_bytes for stretch in stretches) + sum(file.size_bytes for file in self._files.values()),
            sum(len(stretch.deflated) for stretch in (*stretches, *self._joined.values())),
        )

    async def exposition(self, selection: Selection, *, openmetrics: bool, compressed: bool = False) -> Exposition:
        """The last known state, in the format asked for. `compressed`: it is to be written as `gzip_blocks`."""
        rendered: list[bytes] = []
        if selection.tells_own:
            stint = Stint(self._clock)
            for lines in self._own.lines(openmetrics=openmetrics, accounts=selection.accounts):
                rendered.append(lines)
                await stint.part_done()
        if openmetrics:
            rendered.append(b"# EOF\n")
        file = None
        if selection != _EVERYTHING:
            kept = self._kept(selection, openmetrics=openmetrics)
        else:
            if openmetrics not in self._whole:
                self._whole[openmetrics] = self._kept(selection, openmetrics=openmetrics)
            kept = self._whole[openmetrics]
            if compressed:
                if openmetrics not in self._joined:
                    self._joined[openmetrics] = Stretch.joined(kept)
                kept = (self._joined[openmetrics],)
            elif sum(map(_PLAIN_BYTES, kept)) >= _LARGE_BYTES:
                file = self._files.get(openmetrics) or PlainFile(tuple(_plain(kept)))
                self._files[openmetrics] = file
        return Exposition(_OPENMETRICS if openmetrics else _TEXT, kept, tuple(rendered), file)

    def _kept(self, selection: Selection, *, openmetrics: bool) -> tuple[Stretch, ...]:
        """What is kept ready of a selection."""
        accounts = self._images if selection.accounts is None else self._images.keys() & selection.accounts
        images = [image for account, image in self._images.items() if account in accounts]
        headers = self._openmetrics_headers if openmetrics else self._text_headers
        stretches: list[Stretch] = []
        for family in filter(selection.takes, _RENDERED):
            # All accounts' at once: a family must not be spread over the page.
            if lines := [image.stretches[family.name] for image in images if family.name in image.stretches]:
                stretches += (headers[family.name], *lines)
        return tuple(stretches)


async def _renewed(before: tuple[Run, ...], vms: Mapping[str, Vm], stale: _Stale, stint: Stint) -> tuple[Run, ...]:
    """The runs with everything in them that has changed."""
    changed: Iterable[str] = stale.vm_ids
    count = runs_for(len(vms), now=len(before))
    if count != len(before):
        before, changed = (Run(),) * count, vms
    news = await _by_run(changed, vms, count, stint)
    runs = []
    for run, changed_vms in zip(before, news, strict=True):
        gone = [vm_id for vm_id in run.vms if vm_id not in vms] if stale.membership else []
        if changed_vms or gone:
            runs.append(await renewed(run, changed=changed_vms, gone=gone, stint=stint))
        else:
            runs.append(run)
    return tuple(runs)


async def _by_run(changed: Iterable[str], vms: Mapping[str, Vm], runs: int, stint: Stint) -> Sequence[Sequence[Vm]]:
    """Of the VMs that have changed, those that are still there, by the number of their run."""
    by_run: list[list[Vm]] = [[] for _ in range(runs)]
    for vm_id in changed:
        if vm_id in vms:
            by_run[run_of(vm_id, runs=runs)].append(vms[vm_id])
        await stint.part_done()
    return by_run


async def _stretches(
    view: AccountView, runs: Sequence[Run], before: Mapping[str, Stretch], stint: Stint
) -> Mapping[str, Stretch]:
    """What stands on the page for one account, by family; nothing for a family without a sample."""
    stretches = _few_lines(view, runs)
    for family in VM_FAMILIES:
        await stint.part_done()
        blocks = [run.blocks[family.name] for run in runs if family.name in run.blocks]
        known = before.get(family.name)
        if known is not None and known.is_of(blocks):
            stretches[family.name] = known
        elif blocks:
            stretches[family.name] = Stretch.of(*blocks)
    return stretches


def _few_lines(view: AccountView, runs: Sequence[Run]) -> dict[str, Stretch]:
    """What the account itself, and the sums over its VMs, have to tell."""
    lines = {family.name: account_lines(family, view) for family in _ACCOUNT_FAMILIES}
    for tally in TALLY_FAMILIES:
        sums = summed(run.sums[tally.name].items() for run in runs if run.vms)
        lines[tally.name] = tally_lines(tally, view, sums)
    return {name: Stretch.of_lines(each) for name, each in lines.items() if each}

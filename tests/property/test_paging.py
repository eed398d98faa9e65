"""A listing is complete, or says that it is not, under every habit of a server and however many pages are asked for at
the same time.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from exporter.clock import SystemClock
from exporter.gigas.answers import BrokenMachine, Machines
from exporter.gigas.paging import Page, Pages, take_pages, total_of

_PAGE = 5


@dataclass
class Server:
    """Habits of a server. `says_twice`: the first row of each page again at its end. `later_cap`: from that offset on.
    `changes`: what happens to the list before each answer.
    """

    ids: list[str]
    cap: int = 100
    later_cap: tuple[int, int] = (0, 100)
    says_twice: bool = False
    tells_total: bool = True
    knows_paging: bool = True
    changes: tuple[Callable[[list[str]], None], ...] = ()
    answered: list[tuple[int, int]] = field(default_factory=list)

    def answer(self, offset: int, limit: int) -> Page[str]:
        if len(self.answered) < len(self.changes):
            self.changes[len(self.answered)](self.ids)
        self.answered.append((offset, limit))
        limit = min(limit, self.cap, self.later_cap[1] if offset >= self.later_cap[0] else limit)
        shown = self.ids[offset : offset + limit] if self.knows_paging else self.ids
        return Page(machines(*shown, *shown[: self.says_twice]), len(self.ids) if self.tells_total else None)


def machines(*ids: str) -> Machines[str]:
    """VMs of which the id is kept; `!` is before the ids of those that are broken, and alone where even that is."""
    broken = tuple(BrokenMachine(None if each == "!" else each, "status: missing") for each in ids if each[0] == "!")
    return Machines(tuple((each, each) for each in ids if each[0] != "!"), broken)


@dataclass(frozen=True)
class Way:
    """How many pages are asked for at the same time, and after how many turns of the loop each is answered."""

    at_once: int = 1
    turns: Sequence[int] = (0,)


async def listed(server: Server, way: Way) -> Pages[str]:
    pages: Pages[str] = Pages(page_size=_PAGE)
    turns = itertools.cycle(way.turns)

    async def ask(offset: int, limit: int) -> Page[str]:
        for _ in range(next(turns)):
            await SystemClock().sleep(0)
        assert len(server.answered) < 200, "the listing has an end"
        return server.answer(offset, limit)

    await take_pages(pages, ask, at_once=way.at_once)
    return pages


def ids_of(pages: Pages[str]) -> set[str | None]:
    return {*pages.kept, *(broken.machine_id for broken in pages.broken)}


COUNTS = st.integers(min_value=0, max_value=40)
WAYS = st.builds(Way, st.integers(1, 8), st.lists(st.integers(0, 5), min_size=1, max_size=8))
SERVERS = st.builds(
    Server,
    st.lists(st.sampled_from(["!", "!1", "!2", *map(str, range(25))]), max_size=30),
    cap=st.integers(1, 10),
    later_cap=st.tuples(st.integers(0, 30), st.integers(1, 6)),
    says_twice=st.booleans(),
    tells_total=st.booleans(),
    knows_paging=st.booleans(),
)


@given(server=SERVERS, way=WAYS)
async def test_pages_at_the_same_time_come_to_the_same_as_one_after_the_other(server: Server, way: Way) -> None:
    one_by_one = replace(server, ids=list(server.ids), answered=[])
    pages, expected = await listed(server, way), await listed(one_by_one, Way())
    assert (pages.kept, pages.broken) == (expected.kept, expected.broken)
    assert (pages.problem, pages.duplicates, pages.repeated) == (
        expected.problem,
        expected.duplicates,
        expected.repeated,
    )
    assert set(one_by_one.answered) <= set(server.answered)


@given(count=COUNTS, cap=st.integers(1, 10), tells_total=st.booleans(), knows_paging=st.booleans(), way=WAYS)
async def test_a_list_that_stands_still_is_complete(
    count: int, cap: int, *, tells_total: bool, knows_paging: bool, way: Way
) -> None:
    ids = [str(each) for each in range(count)]
    server = Server(list(ids), cap=cap, tells_total=tells_total, knows_paging=knows_paging)
    pages = await listed(server, way)
    assert pages.problem is None
    assert pages.kept == tuple(ids)
    assert pages.duplicates == 0
    assert len(set(server.answered)) == len(server.answered)


@given(count=COUNTS, later_cap=st.tuples(st.integers(0, 40), st.integers(1, 4)), way=WAYS)
async def test_a_list_is_complete_though_a_cap_is_met_late(count: int, later_cap: tuple[int, int], way: Way) -> None:
    ids = [str(each) for each in range(count)]
    pages = await listed(Server(list(ids), later_cap=later_cap), way)
    assert pages.problem is None
    assert pages.kept == tuple(ids)


@given(broken=st.sets(st.integers(0, 11)), tells_total=st.booleans(), way=WAYS)
async def test_broken_machines_are_listed_too(broken: set[int], *, tells_total: bool, way: Way) -> None:
    ids = [f"!{each}" if each in broken else str(each) for each in range(12)]
    pages = await listed(Server(ids, tells_total=tells_total), way)
    assert pages.problem is None
    assert ids_of(pages) == set(ids)


@given(nameless=st.integers(0, 9))
async def test_a_server_that_does_not_page_has_an_end_though_no_machine_has_a_name(nameless: int) -> None:
    pages = await listed(Server(["!"] * nameless, tells_total=False, knows_paging=False), Way())
    assert pages.problem is None
    assert len(pages.broken) == nameless


@given(count=COUNTS, way=WAYS, data=st.data())
async def test_while_machines_go_a_listing_that_adds_up_lacks_none_that_stayed(
    count: int, way: Way, data: st.DataObject
) -> None:
    stays = {str(each) for each in range(count)}

    def goes(ids: list[str]) -> None:
        goes_now = data.draw(st.booleans())
        if ids and goes_now:
            stays.discard(ids.pop(data.draw(st.integers(0, len(ids) - 1))))

    pages = await listed(Server([str(each) for each in range(count)], changes=(goes,) * 20), way)
    assert pages.problem is not None or stays <= ids_of(pages)


@given(count=COUNTS, way=WAYS, data=st.data())
async def test_while_machines_come_a_listing_that_adds_up_lacks_none_that_was_there(
    count: int, way: Way, data: st.DataObject
) -> None:
    before = {str(each) for each in range(count)}

    def comes(ids: list[str]) -> None:
        if data.draw(st.booleans()):
            ids.insert(data.draw(st.integers(0, len(ids))), f"new {len(ids)}")

    pages = await listed(Server(sorted(before, key=int), changes=(comes,) * 20), way)
    assert pages.problem is not None or before <= ids_of(pages)


@given(count=st.integers(1, 30), way=WAYS, data=st.data())
async def test_a_list_that_was_reordered_between_pages_is_not_believed_to_be_complete(
    count: int, way: Way, data: st.DataObject
) -> None:
    all_ids = [str(each) for each in range(count)]

    def shuffle(ids: list[str]) -> None:
        ids[:] = data.draw(st.permutations(ids))

    pages = await listed(Server(list(all_ids), changes=(shuffle,) * 10), way)
    assert pages.problem is not None or ids_of(pages) == set(all_ids)


@given(count=st.integers(1, 30), wrong=st.integers(-5, 5), at_once=st.integers(1, 8))
async def test_a_total_that_is_wrong_is_noticed_or_does_no_harm(count: int, wrong: int, at_once: int) -> None:
    server = Server([str(each) for each in range(count)])
    told = max(0, count + wrong)
    pages: Pages[str] = Pages(page_size=_PAGE)

    async def ask(offset: int, limit: int) -> Page[str]:
        return replace(server.answer(offset, limit), total=told)

    await take_pages(pages, ask, at_once=at_once)
    if told > count:
        assert pages.problem is not None
    elif pages.problem is None:
        # All that can pass is a total that is also what has come: nothing but asking further could tell.
        assert len(pages.kept) == told


@given(ids=st.lists(st.integers(0, 3).map(str), min_size=1, max_size=5), tells_total=st.booleans())
async def test_an_id_repeated_in_one_answer_is_kept_once_and_counted(ids: list[str], *, tells_total: bool) -> None:
    pages = await listed(Server(ids, tells_total=tells_total), Way())
    assert pages.problem is None
    assert ids_of(pages) == set(ids)
    assert pages.duplicates == len(ids) - len(set(ids))


@given(count=st.integers(1, 40), tells_total=st.booleans(), knows_paging=st.booleans(), way=WAYS)
async def test_what_each_page_says_twice_hides_no_machine(
    count: int, *, tells_total: bool, knows_paging: bool, way: Way
) -> None:
    ids = [str(each) for each in range(count)]
    server = Server(list(ids), says_twice=True, tells_total=tells_total, knows_paging=knows_paging)
    pages = await listed(server, way)
    assert pages.problem is None
    assert pages.kept == tuple(ids)
    assert pages.duplicates > 0


async def test_a_machine_skipped_between_two_pages_is_noticed() -> None:
    def first_goes(ids: list[str]) -> None:
        ids.pop(0)

    server = Server([str(each) for each in range(9)], changes=(lambda _: None, first_goes))
    assert (await listed(server, Way())).problem == "the total changed while it was listed"


def test_a_total_is_a_number_of_digits_only() -> None:
    told = ["7", " 7 ", "", "-7", "7.0", "seven", "\N{ARABIC-INDIC DIGIT SEVEN}", "9" * 20]
    assert [total_of({"X-Total": each}) for each in told] == [7, 7, None, None, None, None, None, None]
    assert total_of({}) is None


def test_a_list_without_an_end_is_not_believed() -> None:
    pages: Pages[str] = Pages(page_size=1)
    asked = 0
    while pages.next_pages():
        pages.add(Page(machines(str(asked)), total=None))
        asked += 1
    assert asked == 10_000
    assert pages.problem == "there is no end of pages"


def test_a_broken_machine_that_moved_onto_the_next_page_is_kept_once() -> None:
    pages: Pages[str] = Pages(page_size=2)
    for ids in (["1", "!2"], ["!2", "3"]):
        pages.add(Page(machines(*ids), total=3))
    assert ids_of(pages) == {"1", "!2", "3"}
    assert (pages.problem, pages.duplicates) == (None, 1)


def test_what_is_not_kept_of_a_machine_counts_for_the_total_all_the_same() -> None:
    pages: Pages[str] = Pages(page_size=2)
    for rows in ((("1", "one"), ("2", None)), (("3", None),)):
        pages.add(Page(Machines(rows), total=3))
    assert (pages.kept, pages.problem) == (("one",), None)

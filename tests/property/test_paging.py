"""A listing is complete, or says that it is not, under every habit of a server."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from exporter.gigas.answers import BrokenMachine, MachineDocument, Machines
from exporter.gigas.paging import Pages, total_of

_PAGE = 5


@dataclass
class Server:
    """Habits of a server. `says_twice`: the first row of each page again at its end. `changes`: what happens to the
    list before each page.
    """

    ids: list[str]
    cap: int = 100
    says_twice: bool = False
    tells_total: bool = True
    knows_paging: bool = True
    changes: tuple[Callable[[list[str]], None], ...] = ()
    asked: int = 0

    def answer(self, offset: int, limit: int) -> tuple[Machines, int | None]:
        if self.asked < len(self.changes):
            self.changes[self.asked](self.ids)
        self.asked += 1
        limit = min(limit, self.cap)
        shown = self.ids[offset : offset + limit] if self.knows_paging else self.ids
        shown = shown + shown[:1] if self.says_twice else shown
        machines = tuple(MachineDocument(id=each, status="online") for each in shown if each[0] != "!")
        broken = tuple(
            BrokenMachine(None if each == "!" else each, "status: missing") for each in shown if each[0] == "!"
        )
        return Machines(machines, broken), len(self.ids) if self.tells_total else None


def listed(server: Server) -> Pages:
    pages = Pages(page_size=_PAGE)
    while (wanted := pages.next_page()) is not None:
        machines, total = server.answer(*wanted)
        pages.add(machines, total=total)
        assert server.asked <= 200, "the listing has an end"
    return pages


def ids_of(pages: Pages) -> set[str | None]:
    return {machine.id for machine in pages.machines} | {broken.machine_id for broken in pages.broken}


COUNTS = st.integers(min_value=0, max_value=40)


@given(count=COUNTS, cap=st.integers(1, 10), tells_total=st.booleans(), knows_paging=st.booleans())
def test_a_list_that_stands_still_is_complete(count: int, cap: int, *, tells_total: bool, knows_paging: bool) -> None:
    ids = [str(each) for each in range(count)]
    pages = listed(Server(list(ids), cap=cap, tells_total=tells_total, knows_paging=knows_paging))
    assert pages.problem is None
    assert [machine.id for machine in pages.machines] == ids
    assert pages.duplicates == 0


@given(broken=st.sets(st.integers(0, 11)), tells_total=st.booleans())
def test_broken_machines_are_listed_too(broken: set[int], *, tells_total: bool) -> None:
    ids = [f"!{each}" if each in broken else str(each) for each in range(12)]
    pages = listed(Server(ids, tells_total=tells_total))
    assert pages.problem is None
    assert ids_of(pages) == set(ids)


@given(nameless=st.integers(0, 9))
def test_a_server_that_does_not_page_has_an_end_though_no_machine_has_a_name(nameless: int) -> None:
    pages = listed(Server(["!"] * nameless, tells_total=False, knows_paging=False))
    assert pages.problem is None
    assert len(pages.broken) == nameless


@given(count=COUNTS, data=st.data())
def test_while_machines_go_a_listing_that_adds_up_lacks_none_that_stayed(count: int, data: st.DataObject) -> None:
    stays = {str(each) for each in range(count)}

    def goes(ids: list[str]) -> None:
        goes_now = data.draw(st.booleans())
        if ids and goes_now:
            stays.discard(ids.pop(data.draw(st.integers(0, len(ids) - 1))))

    pages = listed(Server([str(each) for each in range(count)], changes=(goes,) * 20))
    assert pages.problem is not None or stays <= ids_of(pages)


@given(count=COUNTS, data=st.data())
def test_while_machines_come_a_listing_that_adds_up_lacks_none_that_was_there(count: int, data: st.DataObject) -> None:
    before = {str(each) for each in range(count)}

    def comes(ids: list[str]) -> None:
        if data.draw(st.booleans()):
            ids.insert(data.draw(st.integers(0, len(ids))), f"new {len(ids)}")

    pages = listed(Server(sorted(before, key=int), changes=(comes,) * 20))
    assert pages.problem is not None or before <= ids_of(pages)


@given(count=st.integers(1, 30), data=st.data())
def test_a_list_that_was_reordered_between_pages_is_not_believed_to_be_complete(
    count: int, data: st.DataObject
) -> None:
    all_ids = [str(each) for each in range(count)]

    def shuffle(ids: list[str]) -> None:
        ids[:] = data.draw(st.permutations(ids))

    pages = listed(Server(list(all_ids), changes=(shuffle,) * 10))
    assert pages.problem is not None or ids_of(pages) == set(all_ids)


@given(count=st.integers(1, 30), wrong=st.integers(-5, 5))
def test_a_total_that_is_wrong_is_noticed_or_does_no_harm(count: int, wrong: int) -> None:
    server = Server([str(each) for each in range(count)])
    told = max(0, count + wrong)
    pages = Pages(page_size=_PAGE)
    while (wanted := pages.next_page()) is not None:
        pages.add(server.answer(*wanted)[0], total=told)
    if told > count:
        assert pages.problem is not None
    elif pages.problem is None:
        # All that can pass is a total that is also what has come: nothing but asking further could tell.
        assert len(pages.machines) == told


@given(ids=st.lists(st.integers(0, 3).map(str), min_size=1, max_size=5), tells_total=st.booleans())
def test_an_id_repeated_in_one_answer_is_kept_once_and_counted(ids: list[str], *, tells_total: bool) -> None:
    pages = listed(Server(ids, tells_total=tells_total))
    assert pages.problem is None
    assert ids_of(pages) == set(ids)
    assert pages.duplicates == len(ids) - len(set(ids))


@given(count=st.integers(1, 40), tells_total=st.booleans(), knows_paging=st.booleans())
def test_what_each_page_says_twice_hides_no_machine(count: int, *, tells_total: bool, knows_paging: bool) -> None:
    ids = [str(each) for each in range(count)]
    server = Server(list(ids), says_twice=True, tells_total=tells_total, knows_paging=knows_paging)
    pages = listed(server)
    assert pages.problem is None
    assert [machine.id for machine in pages.machines] == ids
    assert pages.duplicates > 0


def test_a_machine_skipped_between_two_pages_is_noticed() -> None:
    def first_goes(ids: list[str]) -> None:
        ids.pop(0)

    server = Server([str(each) for each in range(9)], changes=(lambda _: None, first_goes))
    assert listed(server).problem == "the total changed while it was listed"


def test_a_total_is_a_number_of_digits_only() -> None:
    told = ["7", " 7 ", "", "-7", "7.0", "seven", "\N{ARABIC-INDIC DIGIT SEVEN}", "9" * 20]
    assert [total_of({"X-Total": each}) for each in told] == [7, 7, None, None, None, None, None, None]
    assert total_of({}) is None


def test_a_list_without_an_end_is_not_believed() -> None:
    pages = Pages(page_size=1)
    asked = 0
    while pages.next_page() is not None:
        pages.add(Machines((MachineDocument(id=str(asked), status="online"),)), total=None)
        asked += 1
    assert asked == 10_000
    assert pages.problem == "there is no end of pages"


def test_a_broken_machine_that_moved_onto_the_next_page_is_kept_once() -> None:
    pages = Pages(page_size=2)
    for ids in (["1", "!2"], ["!2", "3"]):
        machines = tuple(MachineDocument(id=each, status="online") for each in ids if each[0] != "!")
        pages.add(Machines(machines, (BrokenMachine("!2", "status: missing"),)), total=3)
    assert ids_of(pages) == {"1", "!2", "3"}
    assert (pages.problem, pages.duplicates) == (None, 1)

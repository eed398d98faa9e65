"""Pages asked for at the same time: how many, which, and how it ends."""

import asyncio

from exporter.gigas.answers import Machines
from exporter.gigas.errors import GigasError, ServerError
from exporter.gigas.paging import Page, Pages, take_pages
from tests.unit.gigas.doubles import settled

TOTAL = 12


class Provider:
    """Answers a page when it is told to. `asked`: the offsets of the pages under way, in the order of the requests."""

    def __init__(self, total: int | None = TOTAL) -> None:
        self.asked: dict[int, asyncio.Future[Page[int]]] = {}
        self._limits: dict[int, int] = {}
        self._total = total

    async def ask(self, offset: int, limit: int) -> Page[int]:
        self.asked[offset] = asyncio.get_running_loop().create_future()
        self._limits[offset] = limit
        try:
            return await self.asked[offset]
        finally:
            del self.asked[offset]

    async def answer(self, *offsets: int, rows: int = TOTAL) -> None:
        for offset in offsets:
            shown = range(TOTAL)[offset : offset + min(rows, self._limits[offset])]
            page = Page(Machines(tuple((str(each), each) for each in shown)), self._total)
            self.asked[offset].set_result(page)
            await settled()

    async def fail(self, offset: int, error: Exception) -> None:
        self.asked[offset].set_exception(error)
        await settled()


async def start(group: asyncio.TaskGroup, provider: Provider) -> tuple[asyncio.Task[GigasError | None], Pages[int]]:
    """Have pages of two, three at the same time; the task's result is what went wrong."""
    pages: Pages[int] = Pages(page_size=2)

    async def taken() -> GigasError | None:
        try:
            await take_pages(pages, provider.ask, at_once=3)
        except GigasError as error:
            return error
        return None

    task = group.create_task(taken())
    await settled()
    return task, pages


def error(status: int) -> ServerError:
    return ServerError("production", "virtual_machines", status)


async def test_the_first_page_is_asked_for_alone_and_then_several_at_a_time() -> None:
    provider = Provider()
    async with asyncio.TaskGroup() as group:
        task, pages = await start(group, provider)
        assert list(provider.asked) == [0]
        await provider.answer(0)
        assert list(provider.asked) == [2, 4, 6]
        await provider.answer(2, 4, 6)
        assert list(provider.asked) == [8, 10]
        await provider.answer(8, 10)
        assert task.done()
    assert pages.kept == tuple(range(TOTAL))


async def test_pages_are_taken_in_their_order_whichever_comes_first() -> None:
    provider = Provider()
    async with asyncio.TaskGroup() as group:
        _, pages = await start(group, provider)
        await provider.answer(0)
        await provider.answer(6, 2, 4)
        await provider.answer(10, 8)
    assert (pages.problem, pages.kept) == (None, tuple(range(TOTAL)))


async def test_without_a_total_one_page_is_asked_for_after_the_other() -> None:
    provider = Provider(total=None)
    async with asyncio.TaskGroup() as group:
        _, pages = await start(group, provider)
        for offset in range(0, TOTAL + 2, 2):
            assert list(provider.asked) == [offset]
            await provider.answer(offset)
    assert (pages.problem, pages.kept) == (None, tuple(range(TOTAL)))


async def test_after_a_page_that_is_shorter_those_are_asked_for_that_follow_it() -> None:
    provider = Provider()
    async with asyncio.TaskGroup() as group:
        _, pages = await start(group, provider)
        await provider.answer(0)
        await provider.answer(2, rows=1)
        await provider.answer(4, 6)
        assert list(provider.asked) == [3, 4, 5]
        await provider.answer(3, 4, 5)
        await provider.answer(6, 7, 8)
        await provider.answer(9, 10, 11)
    assert (pages.problem, pages.kept) == (None, tuple(range(TOTAL)))


async def test_a_page_behind_the_end_of_the_list_counts_for_nothing() -> None:
    provider = Provider()
    async with asyncio.TaskGroup() as group:
        task, pages = await start(group, provider)
        await provider.answer(0)
        await provider.answer(2, rows=0)
        await provider.answer(4)
        await provider.fail(6, error(500))
        assert await task is None
    assert pages.problem == f"2 of {TOTAL} came"


async def test_a_page_that_fails_ends_the_listing_as_itself_when_those_beside_it_are_answered() -> None:
    provider, failed = Provider(), error(500)
    async with asyncio.TaskGroup() as group:
        task, pages = await start(group, provider)
        await provider.answer(0)
        await provider.fail(4, failed)
        assert not task.done()
        await provider.answer(2, 6)
        assert await task is failed
    assert provider.asked == {}
    assert pages.kept == (0, 1, 2, 3)


async def test_of_pages_that_fail_the_first_of_the_list_is_told() -> None:
    provider, failed = Provider(), {offset: error(500 + offset) for offset in (6, 4)}
    async with asyncio.TaskGroup() as group:
        task, _ = await start(group, provider)
        await provider.answer(0)
        for offset, each in failed.items():
            await provider.fail(offset, each)
        await provider.answer(2)
        assert await task is failed[4]


async def test_a_listing_that_is_cancelled_leaves_nothing_under_way() -> None:
    provider = Provider()
    async with asyncio.TaskGroup() as group:
        task, _ = await start(group, provider)
        await provider.answer(0)
        task.cancel()
        await settled()
        assert task.cancelled()
    assert provider.asked == {}

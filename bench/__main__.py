"""`python -m bench [--short] [NAME…]`: every measurement, or the named ones, in turn.

A whole run is kept in `bench/results/`.
"""

import argparse
import asyncio
import contextlib
import io
import logging
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial

from bench import cost, economy, growth, ledger, polling, scraping, shards, stalls
from bench.figures import row
from bench.results import keep

_Measure = Callable[[], Awaitable[None]]
_MEASUREMENTS: Mapping[str, tuple[_Measure, _Measure]] = {
    "polling": (partial(polling.measure, polling.FULL), partial(polling.measure, polling.SHORT)),
    "scraping": (partial(scraping.measure, scraping.FULL), partial(scraping.measure, scraping.SHORT)),
    "stalls": (partial(stalls.measure, stalls.FULL), partial(stalls.measure, stalls.SHORT)),
    "economy": (partial(economy.measure, economy.FULL), partial(economy.measure, economy.SHORT)),
    "cost": (partial(cost.measure, cost.FULL), partial(cost.measure, cost.SHORT)),
    "growth": (partial(growth.measure, growth.FULL), partial(growth.measure, growth.SHORT)),
    "ledger": (partial(ledger.measure, ledger.FULL), partial(ledger.measure, ledger.SHORT)),
    "shards": (partial(shards.measure, shards.FULL), partial(shards.measure, shards.SHORT)),
}
"""Of each the full form and the short one."""


class _Both(io.TextIOBase):
    """What is written is shown at once and kept."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._shown = sys.stdout

    def write(self, text: str) -> int:
        self._kept.append(text)
        return self._shown.write(text)

    def flush(self) -> None:
        self._shown.flush()

    @property
    def text(self) -> str:
        return "".join(self._kept)


async def _measure(names: Sequence[str], *, short: bool) -> None:
    task = asyncio.current_task()
    assert task is not None
    # Told to end, it ends the processes that it has started, too.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    row("what", "median (least-most), this machine, this run")
    row("---", "---")
    for name in names:
        row(f"**{name}**", "")
        await _MEASUREMENTS[name][short]()


def _leaves(failed: BaseException) -> Iterator[BaseException]:
    """What has failed, without the groups of tasks that it came through."""
    if isinstance(failed, BaseExceptionGroup):
        for each in failed.exceptions:
            yield from _leaves(each)
    else:
        yield failed


def main() -> int:
    """Print the table; of a whole run keep it, as far as it came."""
    arguments = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=", ".join(_MEASUREMENTS))
    arguments.add_argument("--short", action="store_true", help="smaller fleets, a few minutes in all")
    told = arguments.parse_args()
    unknown = [name for name in told.names if name not in _MEASUREMENTS]
    if unknown:
        arguments.error(f"unknown: {', '.join(unknown)}; known are {', '.join(_MEASUREMENTS)}")
    logging.disable()
    both, code = _Both(), 0
    try:
        with contextlib.redirect_stdout(both):
            asyncio.run(_measure(told.names or tuple(_MEASUREMENTS), short=told.short))
    except* AssertionError as failed:
        code = 1
        for leaf in _leaves(failed):
            traceback.print_exception(leaf)
    finally:
        if not told.names:
            print(f"kept in {keep(both.text, form='short' if told.short else 'full')}")
    return code


if __name__ == "__main__":
    sys.exit(main())

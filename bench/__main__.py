"""`make bench`: every measurement in turn."""

import asyncio
import logging

from bench import ledger, polling, scraping, stalls
from bench.figures import row


async def main() -> None:
    """Print the table."""
    logging.disable()
    row("what", "median (least-most), this machine, this run")
    row("---", "---")
    for each in (polling, scraping, ledger, stalls):
        await each.measure()


asyncio.run(main())

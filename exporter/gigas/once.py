"""A request is sent once: aiohttp sends a GET a second time by itself where a connection ends without an answer, which
nobody would count or space.
"""

import aiohttp
from aiohttp.connector import Connection

__all__ = ["Ended", "OnceOnly"]


class Ended(Exception):
    """The connection ended without an answer."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class OnceOnly(aiohttp.ClientResponse):
    """Raises `Ended`, which aiohttp knows nothing of. A middleware would do, for twice the time."""

    async def start(self, connection: Connection) -> "OnceOnly":
        try:
            await super().start(connection)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise Ended(error) from error
        return self

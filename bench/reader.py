"""A reader of pages that costs next to nothing: what it measures is the server."""

import socket
import time

__all__ = ["Reader"]

_BUFFER_BYTES = 1024 * 1024


class Reader:
    """Reads from one address again and again, on one connection, as fast as a process can: it parses nothing."""

    def __init__(self, url: str, encoding: str, query: str = "") -> None:
        host, port = url.removeprefix("http://").split(":")
        self._connection = socket.create_connection((host, int(port)), timeout=60.0)
        self._asked = f"GET /metrics{query} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: {encoding}\r\n\r\n".encode()
        self._buffer = bytearray(_BUFFER_BYTES)

    def read(self) -> tuple[float, int]:
        """Milliseconds, and bytes of the body."""
        started_s = time.perf_counter()
        self._connection.sendall(self._asked)
        received = 0
        while (end := self._buffer.find(b"\r\n\r\n", 0, received)) < 0:
            received += self._more(self._buffer, received)
        head = bytes(self._buffer[:end]).decode().lower()
        assert head.startswith("http/1.1 200 "), head
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        left = length - (received - end - 4)
        while left:
            left -= self._more(self._buffer, 0)
        return 1000 * (time.perf_counter() - started_s), length

    def _more(self, buffer: bytearray, start: int) -> int:
        received = self._connection.recv_into(memoryview(buffer)[start:])
        assert received, "the server has hung up"
        return received

    def close(self) -> None:
        self._connection.close()

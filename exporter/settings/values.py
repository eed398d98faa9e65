"""Values that are written as text, checked and turned into what the rooms use. All raise ValueError: a sentence."""

from datetime import UTC, date, datetime, time
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from exporter.settings.durations import duration_s

__all__ = ["instant_at", "known_timezone", "parse_listen_address", "positive_duration", "provider_url", "web_path"]

_LARGEST_PORT = 65_535
_SHORTEST_S = 0.1


def positive_duration(value: object) -> float:
    """Seconds; at least 100 ms, so that a slip does not make a busy loop."""
    try:
        seconds = duration_s(value)
    except ValueError:
        raise ValueError("is not a duration; write 500ms, 30s, 15m or 1h30m, or a number of seconds") from None
    if seconds < _SHORTEST_S:
        raise ValueError("is too short; at least 100ms")
    return seconds


def provider_url(value: object) -> str:
    """An address without the slash at its end."""
    text = str(value).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine = False
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_fine:
        raise ValueError("is not an address; write https://api.gigas.com")
    if parts.username or parts.password:
        raise ValueError("holds a user name or password; they belong into the account")
    if parts.query or parts.fragment:
        raise ValueError("holds a query or fragment; write only scheme, host and path")
    return text


def parse_listen_address(text: str) -> tuple[str | None, int]:
    """Host (None: all) and port.

    >>> [parse_listen_address(text) for text in (":9877", "127.0.0.1:0", "[::1]:9877")]
    [(None, 9877), ('127.0.0.1', 0), ('::1', 9877)]
    """
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not colon
        or not (port.isascii() and port.isdigit())
        or int(port) > _LARGEST_PORT
        or (":" in host and not bracketed)
    ):
        raise ValueError("is not an address to listen on; write :9877, 127.0.0.1:9877 or [::1]:9877")
    return host.strip("[]") or None, int(port)


def web_path(value: object) -> str:
    """A path of our own server."""
    text = str(value)
    if not text.startswith("/") or text == "/" or text.startswith("/-/") or any(c in text for c in "?# "):
        raise ValueError("is not a path for metrics; write /metrics")
    return text


def known_timezone(value: object) -> str:
    """A name of the IANA database."""
    try:
        return ZoneInfo(str(value)).key
    except (OSError, ValueError, KeyError):
        raise ValueError("is not a time zone; write UTC or Europe/Madrid") from None


def instant_at(value: object) -> float | None:
    """A date (its beginning, UTC), a date and time (UTC unless it says), or UNIX seconds, as UNIX seconds."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("is not a date; write 2027-06-01") from None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC).timestamp()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise ValueError("is not a date; write 2027-06-01")

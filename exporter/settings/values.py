"""Values that are written as text, checked and turned into what the rooms use. All raise ValueError: a sentence."""

import ipaddress
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from exporter.settings.durations import duration_s
from exporter.settings.secrets import read_secret

__all__ = [
    "account_id",
    "instant_at",
    "known_timezone",
    "label_name",
    "listen_address",
    "parse_listen_address",
    "plain_text",
    "positive_duration",
    "provider_url",
    "secret_file",
    "web_path",
]

_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]+")
_LABEL = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")
_OUR_LABELS = frozenset({"account", "account_id"})
_HOST = re.compile(r"[A-Za-z0-9._-]*")
_PORT = re.compile(r"[0-9]{1,5}")
_LARGEST_PORT = 65_535
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+/?")
_OUR_PATHS = frozenset({"/-", "/sd", "/status"})
_SHORTEST_S = 0.1
_LONGEST_S = 10 * 31_536_000.0
"""Ten years; a thousand times that are more than a date can hold."""
_INSTANT = re.compile(r"[0-9]{9,11}(\.[0-9]*)?")
_EARLIEST_AT, _LATEST_AT = 946_684_800.0, 7_258_118_400.0
"""2000 and 2200. What lies outside is a slip, such as milliseconds."""


def plain_text(value: object) -> str:
    """Text, or a whole number as text: an account's id is often written so in JSON."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise ValueError("is not text")


def account_id(value: object) -> str:
    """What stands in the provider's addresses."""
    text = plain_text(value)
    if not _ACCOUNT_ID.fullmatch(text):
        raise ValueError("is not an account; write the number in the provider's addresses")
    return text


def label_name(value: str) -> str:
    """A name for a label of the operator's own."""
    if value in _OUR_LABELS:
        raise ValueError("is a label of ours; choose another name")
    if not _LABEL.fullmatch(value):
        raise ValueError("cannot be a label's name; write letters, digits and _")
    return value


def secret_file(value: object) -> Path:
    """A file that can be read now and holds a secret."""
    text = plain_text(value)
    if not text or "\0" in text:
        raise ValueError("is not a file's name")
    try:
        read_secret(Path(text))
    except OSError as error:
        raise ValueError(f"cannot read {text}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{text} {error}") from None
    return Path(text)


def positive_duration(value: object) -> float:
    """Seconds; at least 100 ms, so that a slip does not make a busy loop."""
    try:
        seconds = duration_s(value)
    except ValueError:
        raise ValueError("is not a duration; write 500ms, 30s, 15m or 1h30m, or a number of seconds") from None
    if seconds < _SHORTEST_S:
        raise ValueError("is too short; at least 100ms")
    if seconds > _LONGEST_S:
        raise ValueError("is too long; at most 10y")
    return seconds


def provider_url(value: object) -> str:
    """An address without the slash at its end."""
    text = str(value).strip().rstrip("/")
    try:
        parts = urlsplit(text)
        usable = bool(parts.scheme in {"http", "https"} and parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    # urlsplit drops line breaks, and takes blanks for a part of the host.
    if not usable or not text.isprintable() or " " in text:
        raise ValueError("is not an address; write https://api.gigas.com")
    if parts.username or parts.password:
        raise ValueError("holds a user name or password; they belong into the account")
    if "?" in text or "#" in text:
        raise ValueError("holds a query or fragment; write only scheme, host and path")
    return text


def listen_address(value: object) -> str:
    """An address that can be parsed."""
    text = str(value).strip()
    parse_listen_address(text)
    return text


def parse_listen_address(text: str) -> tuple[str | None, int]:
    """Host (None: all) and port.

    >>> [parse_listen_address(text) for text in (":9877", "127.0.0.1:0", "[::1]:9877")]
    [(None, 9877), ('127.0.0.1', 0), ('::1', 9877)]
    """
    host, colon, port = text.strip().rpartition(":")
    inside = host[1:-1] if host.startswith("[") and host.endswith("]") else None
    is_host = _HOST.fullmatch(host) is not None if inside is None else _is_ipv6(inside)
    if not colon or not is_host or not _PORT.fullmatch(port) or int(port) > _LARGEST_PORT:
        raise ValueError("is not an address to listen on; write :9877, 127.0.0.1:9877 or [::1]:9877")
    return (host if inside is None else inside) or None, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def web_path(value: object) -> str:
    """A path of our own server that no other page has."""
    text = str(value)
    if not _PATH.fullmatch(text):
        raise ValueError("is not a path for metrics; write /metrics")
    if text.rstrip("/") in _OUR_PATHS or text.startswith("/-/"):
        raise ValueError("is the path of another page; write /metrics")
    return text


def known_timezone(value: object) -> str:
    """A name of the IANA database."""
    try:
        return ZoneInfo(str(value)).key
    except (OSError, ValueError, KeyError):
        raise ValueError("is not a time zone; write UTC or Europe/Madrid") from None


def instant_at(value: object) -> float:
    """A date (its beginning, UTC), a date and time (UTC unless it says), or UNIX seconds, as UNIX seconds."""
    text = str(value).strip()
    try:
        at = float(text) if _INSTANT.fullmatch(text) else _instant_of(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        at = 0.0
    if not _EARLIEST_AT <= at <= _LATEST_AT:
        raise ValueError("is not a date; write 2027-06-01")
    return at


def _instant_of(told: datetime) -> float:
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()

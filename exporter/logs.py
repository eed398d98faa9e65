"""Log lines: one event each, logfmt or JSON, with no secret in any of them.

An event is a fixed phrase with fields. What libraries log goes the same way.
"""

import json
import logging
import math
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

import structlog

__all__ = ["Lasting", "Redactor", "configure", "redactor"]

_HIDDEN = "<secret>"
_SHORTEST_SECRET = 4
"""A shorter one would be found in half of all words."""
_FIRST = ("ts", "level", "msg")
_MISTAKABLE = frozenset(' "=\\')


class Redactor:
    """Replaces secrets wherever they stand in an event. The last line of defence: nothing should log one."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide these, too, from now on."""
        shown = {form for secret in secrets if len(secret) >= _SHORTEST_SECRET for form in _forms(secret)}
        self._secrets = tuple(sorted({*self._secrets, *shown}, key=len, reverse=True))

    def __call__(self, _: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for field, value in event.items():
            if isinstance(value, str):
                event[field] = self._redacted(value)
        return event

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text


redactor = Redactor()
"""The one that `configure` puts before every line."""


def _forms(secret: str) -> set[str]:
    """As it is, quoted as in an error's text or in JSON, and as in an address or a form."""
    return {secret, repr(secret)[1:-1], json.dumps(secret)[1:-1], quote(secret, safe=""), quote_plus(secret)}


class Lasting:
    """Failures that last: told when they begin, when their cause changes, and when they end."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, ...], str] = {}
        self._counts: dict[tuple[str, ...], int] = {}

    def failed(self, *key: str, cause: str) -> bool:
        """Note a failure; return whether it is news."""
        self._counts[key] = self._counts.get(key, 0) + 1
        if self._causes.get(key) == cause:
            return False
        self._causes[key] = cause
        return True

    def ended(self, *key: str) -> int:
        """Note a success; return how many failures it ends."""
        self._causes.pop(key, None)
        return self._counts.pop(key, 0)

    def forget(self, account: str) -> None:
        """Drop what is known of an account, the first part of a key."""
        for key in [key for key in self._causes if key[0] == account]:
            self.ended(*key)


def configure(level: str, form: str, *, stream: TextIO | None = None) -> None:
    """Write events of that level and above to the stream (standard error), as `logfmt` or `json`."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.stdlib.add_log_level,
        _short_level,
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("msg"),
        _plain,
        redactor,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _in_order,
            structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else _logfmt,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel({"warn": "WARNING"}.get(level, level.upper()))
    # Each run of a job at level info would be a line; what matters of them the exporter says itself.
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _short_level(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Levels as Prometheus and our setting spell them."""
    if event.get("level") == "warning":
        event["level"] = "warn"
    return event


def _plain(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Every field as text, number, truth value or nothing, so that whatever it says can be redacted."""
    for field, value in event.items():
        if field.startswith("_"):
            continue
        if isinstance(value, float) and math.isfinite(value):
            event[field] = round(value, 3)
        elif not isinstance(value, bool | int | None):
            event[field] = str(value)
    return event


def _in_order(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    first = {field: event[field] for field in _FIRST if field in event}
    return {**first, **event}


def _logfmt(_: object, __: str, event: MutableMapping[str, Any]) -> str:
    return " ".join(f"{field}={_quoted(value)}" for field, value in event.items())


def _quoted(value: object) -> str:
    """A value as JSON writes it, without the quotes where nothing can be mistaken."""
    if isinstance(value, str):
        if value and value.isprintable() and _MISTAKABLE.isdisjoint(value):
            return value
        quoted = json.dumps(value, ensure_ascii=False)
        return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in quoted)
    return "" if value is None else json.dumps(value)

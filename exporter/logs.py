"""Log lines: one event each, logfmt or JSON, with no secret in any of them.

An event is a fixed phrase with fields. What libraries log goes the same way.
"""

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO

import structlog

__all__ = ["Lasting", "Redactor", "configure", "redactor"]

_HIDDEN = "<secret>"
_SHORTEST_SECRET = 4
"""A shorter one would be found in half of all words."""


class Redactor:
    """Replaces secrets wherever they stand in an event. The last line of defence: nothing should log one."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def hide(self, secrets: Iterable[str]) -> None:
        """Hide these, too, from now on."""
        known = {*self._secrets, *(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

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
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("msg"),
        _texts,
        redactor,
    ]
    order = ["ts", "level", "msg"]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=order, drop_missing=True, bool_as_flag=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
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


def _texts(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Every field as text, number or truth value, on one line."""
    for field, value in event.items():
        if field.startswith("_"):
            continue
        if isinstance(value, float):
            event[field] = round(value, 3)
        elif not isinstance(value, bool | int | None):
            event[field] = str(value).replace("\r", "").replace("\n", "\\n")
    return event

"""What happened, for whoever counts and logs: this room does neither."""

from dataclasses import dataclass

__all__ = ["Event", "RequestDone", "Throttled"]


@dataclass(frozen=True, slots=True)
class RequestDone:
    """One HTTP attempt ended. `code`: the HTTP status, or timeout, connection, invalid."""

    account: str
    endpoint: str
    code: str
    duration_s: float


@dataclass(frozen=True, slots=True)
class Throttled:
    """A request waited because the provider refused, or because a ceiling of ours held it."""

    account: str
    waited_s: float


Event = RequestDone | Throttled

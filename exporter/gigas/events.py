"""What happened, for whoever counts and logs: this room does neither."""

from msgspec import Struct

__all__ = ["Event", "RequestDone", "Throttled"]


class RequestDone(Struct, frozen=True, gc=False):
    """One HTTP attempt ended. `code`: the HTTP status, or timeout, connection, invalid."""

    account: str
    endpoint: str
    code: str
    duration_s: float


class Throttled(Struct, frozen=True, gc=False):
    """A request waited because the provider refused, or because a ceiling of ours held it."""

    account: str
    waited_s: float


Event = RequestDone | Throttled

"""What goes into `Authorization`, and what happens when it is refused."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from exporter.clock import Clock
from exporter.gigas.asking import Authorize
from exporter.gigas.credentials import ApiKey, SecretReader
from exporter.gigas.errors import CredentialRefused, CredentialUnreadable, Unauthorized
from exporter.gigas.refusals import Refusals
from exporter.gigas.shown import Shown

__all__ = ["Authentication", "KeySource", "Source"]

T = TypeVar("T")

_PROBE_S = 15.0


class Source(Protocol):
    """Where credentials come from. `endpoint` is named in errors."""

    @property
    def expires_at(self) -> float | None:
        """UNIX seconds at which what is shown now ends, where that was told."""
        ...

    async def present(self, endpoint: str, *, before: Shown | None) -> Shown:
        """Return what to show; `before` is what the same call has shown already.

        Raises CredentialRefused without asking while the provider would refuse, or what a login raises.
        """
        ...

    def replaceable(self, shown: Shown, endpoint: str) -> bool:
        """Tell that it was refused. Return whether there is, or can be had, another one worth showing."""
        ...

    def refused(self, shown: Shown, endpoint: str) -> CredentialRefused:
        """Tell that it was refused for good; return the error."""
        ...

    def accepted(self, shown: Shown) -> None:
        """Tell that it was taken."""
        ...


class Authentication:
    """Makes calls with what a source gives, renewing it once when it is refused."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def expires_at(self) -> float | None:
        return self._source.expires_at

    async def make(self, endpoint: str, call: Callable[[Authorize], Awaitable[T]]) -> T:
        """Make a call. Raises what it raises, but CredentialRefused instead of Unauthorized."""
        is_renewed = False
        while True:
            showing = _Showing(self._source, endpoint)
            try:
                answer = await call(showing.authorize)
            except Unauthorized as error:
                shown = showing.shown
                if shown is None:
                    raise
                if is_renewed or not self._source.replaceable(shown, endpoint):
                    raise self._source.refused(shown, endpoint) from error
                is_renewed = True
            else:
                if showing.shown is not None:
                    self._source.accepted(showing.shown)
                return answer


class _Showing:
    """What one call shows of itself."""

    __slots__ = ("_endpoint", "_source", "shown")

    def __init__(self, source: Source, endpoint: str) -> None:
        self._source = source
        self._endpoint = endpoint
        self.shown: Shown | None = None

    async def authorize(self) -> str:
        self.shown = await self._source.present(self._endpoint, before=self.shown)
        return self.shown.header


class KeySource:
    """An API key. There is nothing to renew, but the file that holds it may change."""

    expires_at = None

    def __init__(self, credentials: ApiKey, *, account: str, clock: Clock) -> None:
        self._reader = SecretReader(credentials.key, account=account, clock=clock)
        self._account = account
        self._clock = clock
        self._refusals = Refusals()
        self._shown: Shown | None = None

    async def present(self, endpoint: str, *, before: Shown | None) -> Shown:
        key = self._reader.read(endpoint)
        if before is not None and before.probe and before.secret == key:
            return before
        # Since when it is shown tells a refusal from one before: what was shown without one may be shown again.
        if self._shown is not None and self._shown.secret == key and not self._refusals.concerns(key):
            return self._shown
        if not (key.isascii() and key.isprintable()):
            raise CredentialUnreadable(self._account, endpoint, "the API key holds a character that no key has")
        now_s = self._clock.monotonic_s()
        wait_s = self._refusals.wait_s(key, now_s=now_s)
        if wait_s > 0:
            raise CredentialRefused(self._account, endpoint, "the API key was refused; not asked again yet")
        probe = self._refusals.concerns(key)
        if probe:
            self._refusals.probing(now_s=now_s, probe_s=_PROBE_S)
        shown = Shown(f"Bearer {key}", secret=key, shown_s=now_s, probe=probe)
        if not probe:
            self._shown = shown
        return shown

    def replaceable(self, shown: Shown, endpoint: str) -> bool:
        # The file may have changed since it was last looked at: then this refusal was the old key's.
        return self._reader.read_again(endpoint) != shown.secret

    def refused(self, shown: Shown, endpoint: str) -> CredentialRefused:
        self._refusals.refused(shown.secret, shown_s=shown.shown_s, now_s=self._clock.monotonic_s())
        return CredentialRefused(self._account, endpoint, "the API key was refused (HTTP 401)")

    def accepted(self, shown: Shown) -> None:
        self._refusals.accepted(shown.secret, shown_s=shown.shown_s)

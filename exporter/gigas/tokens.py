"""Tokens: got by a login, renewed before they end, and shared by all requests of an account."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from exporter.clock import Clock
from exporter.gigas.errors import CredentialRefused, GigasError
from exporter.gigas.refusals import Refusals
from exporter.gigas.shown import Shown

__all__ = ["Grant", "Login", "LoginRefused", "TokenSource"]

_RENEW_SHARE = 0.1
_LONGEST_MARGIN_S = 60.0
"""A token is renewed a tenth of its life before its end, at most a minute (contract)."""
_REST_S = 5.0
"""After a login that failed, all requests that wait for one fail alike for so long: each of them would try again."""
_LONGEST_TOKEN_PAUSE_S = 30.0
"""A token that is refused though it is new is no refused password: asked again well within a minute (contract)."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a login brings. `life_s`: how long it lasts from when it was asked for."""

    header: str = field(repr=False)
    life_s: float
    expires_at: float


class LoginRefused(Exception):
    """The provider knows neither this name nor this password, or does not say which."""


class Login(Protocol):
    """One way to log in."""

    def secret(self) -> str:
        """What is shown, to tell whether it has changed. Raises CredentialUnreadable."""
        ...

    async def grant(self) -> Grant:
        """Log in. Raises LoginRefused, or GigasError where that was not the answer."""
        ...

    def forget(self) -> None:
        """Build on no earlier login at the next one: what it brought was refused."""
        ...


@dataclass(frozen=True, slots=True)
class _Token:
    shown: Shown
    renew_s: float
    ends_s: float
    expires_at: float


class TokenSource:
    """Gives the present token, and logs in where there is none: one at a time, however many wait.

    A login runs in whichever call holds the lock; when that call is cancelled, the next one that waits logs in.
    """

    def __init__(self, login: Login, *, account: str, clock: Clock) -> None:
        self._login = login
        self._account = account
        self._clock = clock
        self._lock = asyncio.Lock()
        self._refusals = Refusals()
        self._token: _Token | None = None
        self._failure: tuple[GigasError, float] | None = None

    @property
    def expires_at(self) -> float | None:
        return self._token.expires_at if self._token is not None else None

    async def present(self, endpoint: str, *, before: Shown | None) -> Shown:  # noqa: ARG002 - a token fits any call
        token = self._token
        now_s = self._clock.monotonic_s()
        if token is not None and (now_s < token.renew_s or (self._lock.locked() and now_s < token.ends_s)):
            return token.shown  # In the last minute one call renews it; the others go on with what still holds.
        async with self._lock:
            return await self._renewed()

    def replaceable(self, shown: Shown, endpoint: str) -> bool:  # noqa: ARG002 - the errors are the login's
        self._drop(shown)
        return True

    def refused(self, shown: Shown, endpoint: str) -> CredentialRefused:
        self._drop(shown)
        self._login.forget()
        self._refusals.refused(
            shown.secret,
            shown_s=shown.shown_s,
            now_s=self._clock.monotonic_s(),
            longest_pause_s=_LONGEST_TOKEN_PAUSE_S,
        )
        return CredentialRefused(self._account, endpoint, "a new token was refused (HTTP 401)")

    def accepted(self, shown: Shown) -> None:
        self._refusals.accepted(shown.secret, shown_s=shown.shown_s)

    def _drop(self, shown: Shown) -> None:
        if self._token is not None and self._token.shown is shown:  # Else somebody has renewed it meanwhile.
            self._token = None

    async def _renewed(self) -> Shown:
        token = self._token
        if token is not None and self._clock.monotonic_s() < token.renew_s:
            return token.shown
        try:
            self._token = await self._log_in()
        except GigasError:
            if token is not None and self._clock.monotonic_s() < token.ends_s:
                return token.shown
            raise
        return self._token.shown

    async def _log_in(self) -> _Token:
        asked_s = self._clock.monotonic_s()
        secret = self._login.secret()
        if self._refusals.wait_s(secret, now_s=asked_s) > 0:
            raise self._error("the login was refused; not asked again yet")
        if self._failure is not None and asked_s < self._failure[1]:
            raise self._failure[0].with_traceback(None)
        try:
            grant = await self._login.grant()
        except LoginRefused as error:
            self._refusals.refused(secret, shown_s=asked_s, now_s=self._clock.monotonic_s())
            raise self._error(f"the login was refused ({error})") from error.__cause__
        except GigasError as error:
            self._failure = error, self._clock.monotonic_s() + _REST_S
            raise
        self._failure = None
        return _token_of(grant, secret=secret, asked_s=asked_s, now_s=self._clock.monotonic_s())

    def _error(self, cause: str) -> CredentialRefused:
        return CredentialRefused(self._account, "token", cause)


def _token_of(grant: Grant, *, secret: str, asked_s: float, now_s: float) -> _Token:
    ends_s = asked_s + grant.life_s
    margin_s = min(_LONGEST_MARGIN_S, grant.life_s * _RENEW_SHARE)
    return _Token(Shown(grant.header, secret, shown_s=now_s), ends_s - margin_s, ends_s, grant.expires_at)

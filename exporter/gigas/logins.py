"""The two ways to log in, on the wire."""

from collections.abc import Callable
from typing import TypeVar

from exporter.clock import Clock
from exporter.gigas.answers import OpenIdToken, read_openid_token, read_session_token
from exporter.gigas.asking import Answer, Asker
from exporter.gigas.credentials import OpenIdLogin, SecretReader, SessionLogin
from exporter.gigas.errors import CredentialUnreadable, InvalidAnswer, StatusError
from exporter.gigas.requests import Login
from exporter.gigas.tokens import Grant, LoginRefused
from exporter.gigas.totp import one_time_code
from exporter.gigas.transport import Exchange

__all__ = ["OpenIdWay", "SessionWay"]

_SESSION_LIFE_S = 1800.0
"""What the provider's page says of tokens; used where an answer does not say when they end, or that they have ended."""
_REFUSALS = frozenset({400, 401, 403, 422})
"""400 is OAuth's `invalid_grant` (RFC 6749, 5.2)."""

T = TypeVar("T")


class SessionWay:
    """`POST /token`."""

    def __init__(self, credentials: SessionLogin, *, base: str, account: str, asker: Asker, clock: Clock) -> None:
        self._username = credentials.username
        self._password = SecretReader(credentials.password, account=account, clock=clock)
        self._base = base
        self._asker = asker

    def secret(self) -> str:
        return self._password.read("token")

    async def grant(self) -> Grant:
        request = Login.session(self._base, username=self._username, password=self.secret())
        answer = await _posted(self._asker, request, read_session_token)
        expires_at = answer.document.expires_at
        life_s = -1.0 if expires_at is None else expires_at - answer.asked_at
        if expires_at is None or life_s <= 0:
            life_s, expires_at = _SESSION_LIFE_S, answer.asked_at + _SESSION_LIFE_S
        return Grant(answer.document.token, life_s, expires_at)

    def forget(self) -> None:
        """Nothing is kept: each login is by password."""


class OpenIdWay:
    """`POST /auth/api/openid-connect/token`: by refresh token while there is one, else by password."""

    def __init__(self, credentials: OpenIdLogin, *, base: str, account: str, asker: Asker, clock: Clock) -> None:
        self._username = credentials.username
        self._password = SecretReader(credentials.password, account=account, clock=clock)
        self._totp = None
        if credentials.totp is not None:
            self._totp = SecretReader(credentials.totp, account=account, clock=clock)
        self._base = base
        self._account = account
        self._asker = asker
        self._clock = clock
        self._refresh: tuple[str, float | None] | None = None

    def secret(self) -> str:
        one_time = self._totp.read("token") if self._totp is not None else ""
        return f"{self._password.read('token')}\n{one_time}"

    async def grant(self) -> Grant:
        answer = await self._refreshed() or await self._logged_in()
        told = answer.document
        if told.refresh_token:
            until_s = told.refresh_life_s and self._clock.monotonic_s() + told.refresh_life_s
            self._refresh = told.refresh_token, until_s or None  # 0 seconds is what Keycloak says for no end.
        life_s = told.life_s or _SESSION_LIFE_S
        return Grant(f"Bearer {told.token}", life_s, answer.asked_at + life_s)

    def forget(self) -> None:
        self._refresh = None

    async def _refreshed(self) -> Answer[OpenIdToken] | None:
        """None where there is nothing to refresh with, or where it is not taken."""
        if self._refresh is None:
            return None
        refresh_token, until_s = self._refresh
        if until_s is not None and self._clock.monotonic_s() >= until_s:
            return None
        request = Login.openid(self._base, grant_type="refresh_token", refresh_token=refresh_token)
        try:
            return await _posted(self._asker, request, read_openid_token)
        except (LoginRefused, InvalidAnswer):
            self.forget()
            return None
        except StatusError:  # Whatever is wrong there, the next login does not depend on it.
            self.forget()
            raise

    async def _logged_in(self) -> Answer[OpenIdToken]:
        form = {"grant_type": "password", "username": self._username, "password": self._password.read("token")}
        if self._totp is not None:
            form["totp"] = self._code(self._totp.read("token"))
        return await _posted(self._asker, Login.openid(self._base, **form), read_openid_token)

    def _code(self, secret: str) -> str:
        try:
            return one_time_code(secret, now_at=self._clock.wall_s())
        except ValueError as error:
            cause = f"the secret for one-time codes is {error}"
        raise CredentialUnreadable(self._account, "token", cause)


async def _posted(asker: Asker, request: Login, read: Callable[[bytes], T]) -> Answer[T]:
    """Post what a login needs. Raises LoginRefused where the answer is a refusal."""

    async def understand(exchange: Exchange) -> T:
        return read(exchange.body)

    async def authorize() -> None:
        return None

    try:
        return await asker.ask(request, understand, authorize)
    except StatusError as error:
        if error.status in _REFUSALS:
            raise LoginRefused(error.cause) from error
        raise

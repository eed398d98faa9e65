"""The three ways to authenticate, as the provider's pages tell them."""

import secrets
from dataclasses import dataclass, field

from aiohttp import web

from exporter.simulator.options import SimulatorOptions

__all__ = ["Access"]

_HTTP_BAD_REQUEST = 400


@dataclass(slots=True)
class _Session:
    until_at: float
    readonly: bool


@dataclass(slots=True)
class Access:
    """Gives out tokens and knows which are good. `api_keys` may be changed: a key can be revoked."""

    options: SimulatorOptions
    api_keys: set[str] = field(default_factory=set)
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _refreshes: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api_keys.add(self.options.api_key)

    def problem(self, header: str, method: str, now_s: float) -> int | None:
        """The status with which a request is refused; None if it may pass."""
        kind, _, value = header.rpartition(" ")
        if kind == "Bearer" and value in self.api_keys:
            return None
        session = self._sessions.get(header)
        if session is None or now_s >= session.until_at:
            return 401
        return 403 if session.readonly and method != "GET" else None

    def revoke_tokens(self) -> None:
        """End every session early."""
        self._sessions.clear()
        self._refreshes.clear()

    async def token(self, request: web.Request, now_s: float) -> web.Response:
        """`POST /token`."""
        try:
            asked = await request.json()
            login, password, readonly = asked["login"], asked["password"], bool(asked.get("readonly", False))
        except (ValueError, KeyError, TypeError):
            return web.json_response({"error": "login and password are needed"}, status=_HTTP_BAD_REQUEST)
        if (login, password) != (self.options.login, self.options.password):
            return web.json_response({"error": "wrong login or password"}, status=401)
        token, life_s = secrets.token_hex(20), self.options.token_lifetime_s
        self._sessions[token] = _Session(now_s + life_s, readonly)
        return web.json_response(
            {
                "token": token,
                "expires": int(now_s + life_s),
                "refresh_token": secrets.token_hex(20),
                "refresh_expires": int(now_s + 2 * life_s),
            }
        )

    async def openid(self, request: web.Request, now_s: float) -> web.Response:
        """`POST /auth/api/openid-connect/token`."""
        form = await request.post()
        life_s = self.options.token_lifetime_s
        if form.get("client_id") != "external":
            return web.json_response({"error": "invalid_client"}, status=401)
        if form.get("grant_type") == "refresh_token":
            good = self._refreshes.pop(str(form.get("refresh_token")), 0.0) > now_s
        else:
            good = form.get("grant_type") == "password" and (form.get("username"), form.get("password")) == (
                self.options.login,
                self.options.password,
            )
        if not good:
            return web.json_response({"error": "invalid_grant"}, status=401)
        token, refresh = secrets.token_hex(20), secrets.token_hex(20)
        self._sessions[f"Bearer {token}"] = _Session(now_s + life_s, readonly=False)
        self._refreshes[refresh] = now_s + 2 * life_s
        return web.json_response(
            {
                "access_token": token,
                "expires_in": life_s,
                "refresh_token": refresh,
                "refresh_expires_in": 2 * life_s,
                "token_type": "Bearer",
            }
        )

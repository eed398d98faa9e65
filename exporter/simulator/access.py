"""The three ways to authenticate, as the provider's pages tell them."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.simulator.options import SimulatorOptions

__all__ = ["Access"]

_Answer = tuple[int, dict[str, Any]]
_WRONG_GRANT: _Answer = (401, {"error": "invalid_grant"})


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

    def token(self, asked: Mapping[str, object], now_s: float) -> _Answer:
        """`POST /token`: status and document. The token itself is the header's value."""
        if "login" not in asked or "password" not in asked:
            return 400, {"error": "login and password are needed"}
        if not self._knows(asked["login"], asked["password"]):
            return 401, {"error": "wrong login or password"}
        token, life_s = secrets.token_hex(20), self.options.token_lifetime_s
        self._sessions[token] = _Session(now_s + life_s, asked.get("readonly") in (True, "true"))
        return 200, {
            "token": token,
            "expires": int(now_s + life_s),
            "refresh_token": secrets.token_hex(20),
            "refresh_expires": int(now_s + 2 * life_s),
        }

    def openid(self, form: Mapping[str, object], now_s: float) -> _Answer:
        """`POST /auth/api/openid-connect/token`: status and document. A refresh token is good once."""
        if form.get("client_id") != "external":
            return 401, {"error": "invalid_client"}
        match form.get("grant_type"):
            case "refresh_token":
                good = self._refreshes.pop(str(form.get("refresh_token")), 0.0) > now_s
            case "password":
                good = self._knows(form.get("username"), form.get("password"))
            case _:
                good = False
        if not good:
            return _WRONG_GRANT
        token, refresh, life_s = secrets.token_hex(20), secrets.token_hex(20), self.options.token_lifetime_s
        self._sessions[f"Bearer {token}"] = _Session(now_s + life_s, readonly=False)
        self._refreshes[refresh] = now_s + 2 * life_s
        return 200, {
            "access_token": token,
            "expires_in": life_s,
            "refresh_token": refresh,
            "refresh_expires_in": 2 * life_s,
            "token_type": "Bearer",
        }

    def _knows(self, login: object, password: object) -> bool:
        return (login, password) == (self.options.login, self.options.password)

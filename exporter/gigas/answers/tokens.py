"""What a login answers. Only what is shown later, and when it ends, is kept."""

from dataclasses import dataclass, field
from typing import Annotated, Any, NotRequired

from pydantic import StringConstraints, TypeAdapter
from typing_extensions import TypedDict

from exporter.gigas.answers.understanding import number, validated

__all__ = ["OpenIdToken", "SessionToken", "read_openid_token", "read_session_token"]

_Token = Annotated[str, StringConstraints(strict=True, pattern=r"^[\x21-\x7e]+$")]
"""What may stand in a header."""


@dataclass(frozen=True, slots=True)
class SessionToken:
    """`expires_at`: UNIX seconds of the provider, an estimate."""

    token: str = field(repr=False)
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class OpenIdToken:
    token: str = field(repr=False)
    life_s: float | None
    refresh_token: str | None = field(repr=False)
    refresh_life_s: float | None


class _Session(TypedDict):
    token: _Token
    expires: NotRequired[Any]


class _OpenId(TypedDict):
    access_token: _Token
    expires_in: NotRequired[Any]
    refresh_token: NotRequired[Any]
    refresh_expires_in: NotRequired[Any]


_SESSION = TypeAdapter(_Session)
_OPENID = TypeAdapter(_OpenId)


def read_session_token(body: bytes) -> SessionToken:
    """Raises NotUnderstood."""
    told = validated(_SESSION, body)
    return SessionToken(told["token"], number(told.get("expires")))


def read_openid_token(body: bytes) -> OpenIdToken:
    """Raises NotUnderstood."""
    told = validated(_OPENID, body)
    refresh = told.get("refresh_token")
    return OpenIdToken(
        told["access_token"],
        number(told.get("expires_in")),
        refresh if isinstance(refresh, str) and refresh else None,
        number(told.get("refresh_expires_in")),
    )

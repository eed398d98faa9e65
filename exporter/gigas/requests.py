"""The only two things that are ever sent: a GET, and a POST to an address that gives out tokens. So nothing here can
change a VM.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote

from msgspec import Struct
from yarl import URL

__all__ = ["Get", "Login", "Request", "TokenAddress", "asking", "under"]


class TokenAddress(enum.StrEnum):
    """The addresses that may be posted to."""

    SESSION = "/token"
    OPENID = "/auth/api/openid-connect/token"


class Get(Struct, frozen=True, gc=False):
    """`endpoint`: the last word of the path."""

    endpoint: str
    url: URL

    @classmethod
    def of(cls, base: URL, *segments: str) -> "Get":
        """Build the address from segments that may hold anything: an id cannot lead elsewhere. `base` comes with the
        query.
        """
        path = under(base.raw_path.rstrip("/"), *segments)
        # Said to be quoted, and not taken apart again: that is a twentieth of a poll.
        url = base.with_path(path, encoded=True, keep_query=True)
        return cls(segments[-1], url)


@dataclass(frozen=True, slots=True)
class Login:
    """Sent as a form or as JSON, whichever is there. Its address follows: there is no other to post to."""

    base: str
    address: TokenAddress
    form: Mapping[str, str] | None = field(default=None, repr=False)
    json: Mapping[str, str | bool] | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        return self.address.rpartition("/")[2]

    @property
    def url(self) -> URL:
        return URL(f"{self.base}{self.address}", encoded=True)

    @classmethod
    def session(cls, base: str, *, username: str, password: str) -> "Login":
        """Ask for a session token that cannot change anything."""
        return cls(base, TokenAddress.SESSION, json={"login": username, "password": password, "readonly": True})

    @classmethod
    def openid(cls, base: str, **form: str) -> "Login":
        """Ask for an OpenID token."""
        return cls(base, TokenAddress.OPENID, form={"client_id": "external", **form})


Request = Get | Login


def under(base: str, *segments: str) -> str:
    """The address of what those segments name there, quoted."""
    return "/".join([base, *map(_quoted, segments)])


def asking(base: str, /, **params: str) -> URL:
    """The base of addresses that ask for these."""
    query = "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in params.items()])
    return URL(f"{base}?{query}" if query else base, encoded=True)


def _quoted(text: str) -> str:
    return text if text.isascii() and text.isalnum() else _without_signs(text)


@lru_cache(64)  # The words of the provider's addresses come again and again, ids with signs in them do not.
def _without_signs(text: str) -> str:
    return quote(text, safe="")

"""What an account shows to be let in."""

from dataclasses import dataclass, field
from typing import Protocol

from exporter.clock import Clock
from exporter.gigas.errors import CredentialUnreadable

__all__ = ["ApiKey", "Credentials", "OpenIdLogin", "Secret", "SecretReader", "SessionLogin"]

_REREAD_S = 1.0


class Secret(Protocol):
    """A text that may change while we run, such as a mounted file."""

    def read(self) -> str:
        """Return it as it is now. Raises OSError, or ValueError that says what the text is, without quoting it."""
        ...


@dataclass(frozen=True)
class ApiKey:
    key: Secret = field(repr=False)


@dataclass(frozen=True)
class SessionLogin:
    username: str
    password: Secret = field(repr=False)


@dataclass(frozen=True)
class OpenIdLogin:
    """`totp`: a code to be sent as it is (digits), or the key that codes are made from (base32)."""

    username: str
    password: Secret = field(repr=False)
    totp: Secret | None = field(default=None, repr=False)


Credentials = ApiKey | SessionLogin | OpenIdLogin


class SecretReader:
    """Reads a secret at most once a second, however often it is wanted."""

    def __init__(self, secret: Secret, *, account: str, clock: Clock) -> None:
        self._secret = secret
        self._account = account
        self._clock = clock
        self._text = ""
        self._reread_s = 0.0

    def read_again(self, endpoint: str) -> str:
        """Return it as it is at this moment. Raises CredentialUnreadable."""
        self._text = ""
        return self.read(endpoint)

    def read(self, endpoint: str) -> str:
        """Return it. Raises CredentialUnreadable."""
        now_s = self._clock.monotonic_s()
        if not self._text or now_s >= self._reread_s:
            self._text = self._read(endpoint)
            self._reread_s = now_s + _REREAD_S
        return self._text

    def _read(self, endpoint: str) -> str:
        try:
            text = self._secret.read()
        except OSError as error:
            place = f": {error.filename}" if error.filename else ""
            raise CredentialUnreadable(
                self._account, endpoint, f"the secret cannot be read: {error.strerror}{place}"
            ) from error
        except UnicodeError:  # It quotes what it read.
            text, wrong = "", "is not text"
        except ValueError as error:
            text, wrong = "", str(error)
        else:
            wrong = "is empty"
        if not text:  # Raised out here, so that what was caught is not even the context.
            raise CredentialUnreadable(self._account, endpoint, f"the secret {wrong}")
        return text

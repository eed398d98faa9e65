"""What can go wrong between us and the provider. Each says whose account, which endpoint, and the cause, in one line.

GigasError
├── ConnectionFailed         no answer, or one that broke off
│   └── CertificateRefused   whoever answers there is not the provider
├── TimedOut
├── StatusError              an answer that says no
│   ├── Unauthorized         401
│   ├── Forbidden            403
│   ├── NotFound             404
│   ├── Throttled429         429
│   ├── ServerError          5xx
│   ├── RedirectRefused      3xx to where our credentials must not go
│   └── UnexpectedStatus     any other
├── InvalidAnswer            an answer that cannot be understood
│   └── BodyTooLarge
├── ListingInconsistent      pages that do not add up to a list
├── CredentialRefused        the provider does not take it; also while we do not ask for that reason
└── CredentialUnreadable     the file that holds it
"""

from types import MappingProxyType

__all__ = [
    "BodyTooLarge",
    "CertificateRefused",
    "ConnectionFailed",
    "CredentialRefused",
    "CredentialUnreadable",
    "Forbidden",
    "GigasError",
    "InvalidAnswer",
    "ListingInconsistent",
    "NotFound",
    "RedirectRefused",
    "ServerError",
    "StatusError",
    "Throttled429",
    "TimedOut",
    "Unauthorized",
    "UnexpectedStatus",
    "of_status",
]

_WORTH_RETRYING = frozenset({429, 500, 502, 503, 504})
_SERVER_ERRORS = range(500, 600)


class GigasError(Exception):
    """`code` is the label value, `retryable` whether asking again may help. `attempts` were made for it."""

    code: str
    retryable: bool = False

    def __init__(self, account: str, endpoint: str, cause: str) -> None:
        super().__init__(account, endpoint, cause)
        self.account = account
        self.endpoint = endpoint
        self.cause = cause
        self.attempts = 1

    def __str__(self) -> str:
        after = f" after {self.attempts} attempts" if self.attempts > 1 else ""
        return f"account {self.account}: {self.endpoint}: {self.cause}{after}"


class ConnectionFailed(GigasError):
    code = "connection"
    retryable = True


class CertificateRefused(ConnectionFailed):
    retryable = False


class TimedOut(GigasError):
    code = "timeout"
    retryable = True


class StatusError(GigasError):
    """`retry_after_s`: how long the provider asks us to wait, if it does."""

    def __init__(
        self, account: str, endpoint: str, status: int, *, cause: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(account, endpoint, cause or f"HTTP {status}")
        self.status = status
        self.code = str(status)
        self.retryable = status in _WORTH_RETRYING
        self.retry_after_s = retry_after_s


class Unauthorized(StatusError):
    pass


class Forbidden(StatusError):
    pass


class NotFound(StatusError):
    pass


class Throttled429(StatusError):
    pass


class ServerError(StatusError):
    pass


class RedirectRefused(StatusError):
    pass


class UnexpectedStatus(StatusError):
    pass


class InvalidAnswer(GigasError):
    code = "invalid"


class BodyTooLarge(InvalidAnswer):
    pass


class ListingInconsistent(GigasError):
    code = "invalid"


class CredentialRefused(GigasError):
    code = "401"


class CredentialUnreadable(GigasError):
    code = "credential"


_BY_STATUS = MappingProxyType({401: Unauthorized, 403: Forbidden, 404: NotFound, 429: Throttled429})


def of_status(account: str, endpoint: str, status: int, *, retry_after_s: float | None) -> StatusError:
    """Return the error for an answer of that status."""
    otherwise = ServerError if status in _SERVER_ERRORS else UnexpectedStatus
    return _BY_STATUS.get(status, otherwise)(account, endpoint, status, retry_after_s=retry_after_s)

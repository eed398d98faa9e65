"""aiohttp's errors as ours: the one place that knows both."""

import os
import socket
import ssl

import aiohttp
from aiohttp.http_exceptions import ContentEncodingError

from exporter.gigas.errors import CertificateRefused, ConnectionFailed, GigasError, InvalidAnswer, TimedOut

__all__ = ["TRANSLATED", "translate"]

_NOT_HTTP = "the answer is not HTTP"

TRANSLATED: tuple[tuple[type[Exception], type[GigasError], str], ...] = (
    (aiohttp.ConnectionTimeoutError, TimedOut, "no connection in time"),
    (TimeoutError, TimedOut, "no answer in time"),
    (aiohttp.ClientConnectorCertificateError, CertificateRefused, "the certificate is not valid for this address"),
    (aiohttp.ServerFingerprintMismatch, CertificateRefused, "the certificate is not the expected one"),
    (aiohttp.ClientSSLError, ConnectionFailed, "TLS failed"),
    (aiohttp.ClientConnectorDNSError, ConnectionFailed, "the name cannot be resolved"),
    (aiohttp.ClientProxyConnectionError, ConnectionFailed, "the proxy cannot be reached"),
    (aiohttp.ClientHttpProxyError, ConnectionFailed, "the proxy refused"),
    (aiohttp.ServerDisconnectedError, ConnectionFailed, "the connection was closed without an answer"),
    (aiohttp.ClientPayloadError, ConnectionFailed, "the answer broke off"),
    (aiohttp.TooManyRedirects, InvalidAnswer, "too many redirects"),
    (aiohttp.RedirectClientError, InvalidAnswer, "a redirect to no address"),
    (aiohttp.ContentTypeError, InvalidAnswer, "the answer is of another type"),
    (aiohttp.InvalidURL, ConnectionFailed, "the address is not valid"),
    (aiohttp.NonHttpUrlClientError, ConnectionFailed, "the address is not HTTP"),
    (aiohttp.ClientResponseError, ConnectionFailed, _NOT_HTTP),
    (aiohttp.ClientConnectionError, ConnectionFailed, "the connection failed"),
    (aiohttp.ClientError, ConnectionFailed, "the request failed"),
    (OSError, ConnectionFailed, "the connection failed"),
    (UnicodeError, ConnectionFailed, "the name of the host cannot be one"),  # Such as exa..mple.com.
)
"""First match wins, so a class stands before its bases. Sentences of ours only: aiohttp's quote what was received."""


def translate(error: Exception, *, account: str, endpoint: str) -> GigasError:
    """Return ours for one of those in the table."""
    if isinstance(error, aiohttp.ClientPayloadError) and isinstance(error.__cause__, ContentEncodingError):
        # The bytes arrived; they are not what Content-Encoding says. Another try would bring the same.
        return InvalidAnswer(account, endpoint, "the answer cannot be decompressed")
    ours, cause = next((ours, cause) for theirs, ours, cause in TRANSLATED if isinstance(error, theirs))
    reason = _reason(error) if isinstance(error, OSError) else ""
    return ours(account, endpoint, f"{cause}{reason}")


def _reason(error: OSError) -> str:
    """What the system says: `Connection refused`, not the address again."""
    if isinstance(error, TimeoutError | aiohttp.ClientSSLError):
        return ""
    told = error.strerror
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        told = cause.strerror
        # asyncio writes `Connect call failed ('192.0.2.1', 443)` where the system's word should be. The numbers of a
        # resolver and of TLS are none of the system's.
        if cause.errno is not None and not isinstance(cause, socket.gaierror | ssl.SSLError):
            told = os.strerror(cause.errno)
    return f" ({told})" if told else ""

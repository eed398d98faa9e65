"""The tree of errors, and that none of aiohttp's is forgotten."""

import socket

import aiohttp
import pytest
from aiohttp import client_exceptions
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import ContentEncodingError

from exporter.gigas import (
    CertificateRefused,
    ConnectionFailed,
    Forbidden,
    GigasError,
    InvalidAnswer,
    NotFound,
    ServerError,
    Throttled429,
    TimedOut,
    Unauthorized,
    UnexpectedStatus,
)
from exporter.gigas.errors import of_status
from exporter.gigas.translation import TRANSLATED, translate

THEIRS = sorted(
    (each for each in vars(client_exceptions).values() if isinstance(each, type) and issubclass(each, Exception)),
    key=lambda each: each.__name__,
)
OURS = {
    "ClientConnectionError": ConnectionFailed,
    "ClientConnectionResetError": ConnectionFailed,
    "ClientConnectorCertificateError": CertificateRefused,
    "ClientConnectorDNSError": ConnectionFailed,
    "ClientConnectorError": ConnectionFailed,
    "ClientConnectorSSLError": ConnectionFailed,
    "ClientError": ConnectionFailed,
    "ClientHttpProxyError": ConnectionFailed,
    "ClientOSError": ConnectionFailed,
    "ClientPayloadError": ConnectionFailed,
    "ClientProxyConnectionError": ConnectionFailed,
    "ClientResponseError": ConnectionFailed,
    "ClientSSLError": ConnectionFailed,
    "ConnectionTimeoutError": TimedOut,
    "ContentTypeError": InvalidAnswer,
    "InvalidURL": ConnectionFailed,
    "InvalidUrlClientError": ConnectionFailed,
    "InvalidUrlRedirectClientError": InvalidAnswer,
    "NonHttpUrlClientError": ConnectionFailed,
    "NonHttpUrlRedirectClientError": InvalidAnswer,
    "RedirectClientError": InvalidAnswer,
    "ServerConnectionError": ConnectionFailed,
    "ServerDisconnectedError": ConnectionFailed,
    "ServerFingerprintMismatch": CertificateRefused,
    "ServerTimeoutError": TimedOut,
    "SocketTimeoutError": TimedOut,
    "TooManyRedirects": InvalidAnswer,
    "UnixClientConnectorError": ConnectionFailed,
    "UploadAbortedError": ConnectionFailed,
    "WSServerHandshakeError": ConnectionFailed,
}


def test_each_error_that_aiohttp_knows_is_one_of_ours() -> None:
    requests = [each for each in THEIRS if issubclass(each, aiohttp.ClientError)]
    mapped = {
        each.__name__: next(ours for theirs, ours, _ in TRANSLATED if issubclass(each, theirs)) for each in requests
    }
    assert mapped == OURS


def test_no_line_of_the_translation_is_shadowed_by_one_before() -> None:
    known = [theirs for theirs, _, _ in TRANSLATED]
    assert [(each, before) for at, each in enumerate(known) for before in known[:at] if issubclass(each, before)] == []


@pytest.mark.parametrize("error", [TimeoutError(), aiohttp.ServerTimeoutError("token abc")])
def test_running_out_of_time_is_a_timeout(error: Exception) -> None:
    translated = translate(error, account="production", endpoint="cpu_stats")
    assert str(translated) == "account production: cpu_stats: no answer in time"
    assert translated.code == "timeout"
    assert translated.retryable


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('10.0.0.1', 443)"), "Connection refused"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError(None, "Multiple exceptions"), "Multiple exceptions"),
    ],
)
def test_a_connection_that_failed_says_why_in_the_systems_words(error: OSError, told: str) -> None:
    key = ConnectionKey("api.example", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)
    translated = translate(aiohttp.ClientConnectorError(key, error), account="production", endpoint="cpu_stats")
    assert str(translated) == f"account production: cpu_stats: the connection failed ({told})"


def test_what_cannot_be_decompressed_is_an_invalid_answer() -> None:
    broken = aiohttp.ClientPayloadError("400, message:\n  Can not decode content-encoding: gzip")
    broken.__cause__ = ContentEncodingError("gzip")
    assert translate(broken, account="a", endpoint="e").code == "invalid"


@pytest.mark.parametrize(
    ("status", "ours", "retryable"),
    [
        (301, UnexpectedStatus, False),
        (400, UnexpectedStatus, False),
        (401, Unauthorized, False),
        (403, Forbidden, False),
        (404, NotFound, False),
        (418, UnexpectedStatus, False),
        (429, Throttled429, True),
        (500, ServerError, True),
        (501, ServerError, False),
        (502, ServerError, True),
        (503, ServerError, True),
        (504, ServerError, True),
        (505, ServerError, False),
    ],
)
def test_a_status_has_its_error_and_its_number_as_code(status: int, ours: type[GigasError], retryable: bool) -> None:
    error = of_status("production", "cpu_stats", status, retry_after_s=None)
    assert type(error) is ours
    assert (error.code, error.retryable) == (str(status), retryable)


def test_an_error_is_one_line_that_names_account_endpoint_and_cause() -> None:
    error = of_status("production", "cpu_stats", 503, retry_after_s=None)
    assert str(error) == "account production: cpu_stats: HTTP 503"
    error.attempts = 4
    assert str(error) == "account production: cpu_stats: HTTP 503 after 4 attempts"


def test_every_error_has_a_code() -> None:
    def leaves(kind: type[GigasError]) -> list[type[GigasError]]:
        return [kind, *(leaf for each in kind.__subclasses__() for leaf in leaves(each))]

    codes = {each.__name__: getattr(each, "code", None) for each in leaves(GigasError)}
    by_status = {"StatusError", "Unauthorized", "Forbidden", "NotFound", "Throttled429", "ServerError"}
    by_status |= {"RedirectRefused", "UnexpectedStatus", "GigasError"}
    assert {name for name, code in codes.items() if code is None} == by_status

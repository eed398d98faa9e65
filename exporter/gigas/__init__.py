"""Speaks the provider's API: asks, and gives back typed documents or typed errors.

Invariants: a request is a GET, or a POST to an address that gives out tokens; a listing is complete or an error; every
attempt is one `RequestDone`; credentials, and what the API itself gives away, are in no document, error or event. This
room must not know what is done with an answer: it counts nothing, logs nothing and keeps nothing but tokens.
"""

from exporter.gigas.answers import (
    BrokenMachine,
    BwStats,
    CpuStats,
    InterfaceTraffic,
    KnownMachines,
    MachineDocument,
)
from exporter.gigas.asking import Answer
from exporter.gigas.client import AccountClient, Listing
from exporter.gigas.credentials import ApiKey, Credentials, OpenIdLogin, Secret, SessionLogin
from exporter.gigas.errors import (
    BodyTooLarge,
    CertificateRefused,
    ConnectionFailed,
    CredentialRefused,
    CredentialUnreadable,
    Forbidden,
    GigasError,
    InvalidAnswer,
    ListingInconsistent,
    NotFound,
    RedirectRefused,
    ServerError,
    StatusError,
    Throttled429,
    TimedOut,
    Unauthorized,
    UnexpectedStatus,
)
from exporter.gigas.events import Event, RequestDone, Throttled
from exporter.gigas.options import ClientOptions, open_session

__all__ = [
    "AccountClient",
    "Answer",
    "ApiKey",
    "BodyTooLarge",
    "BrokenMachine",
    "BwStats",
    "CertificateRefused",
    "ClientOptions",
    "ConnectionFailed",
    "CpuStats",
    "CredentialRefused",
    "CredentialUnreadable",
    "Credentials",
    "Event",
    "Forbidden",
    "GigasError",
    "InterfaceTraffic",
    "InvalidAnswer",
    "KnownMachines",
    "Listing",
    "ListingInconsistent",
    "MachineDocument",
    "NotFound",
    "OpenIdLogin",
    "RedirectRefused",
    "RequestDone",
    "Secret",
    "ServerError",
    "SessionLogin",
    "StatusError",
    "Throttled",
    "Throttled429",
    "TimedOut",
    "Unauthorized",
    "UnexpectedStatus",
    "open_session",
]

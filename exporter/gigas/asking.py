"""A request until it is answered or given up: ceilings, attempts, redirects, events."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random
from typing import Generic, NoReturn, TypeVar

from aiohttp import hdrs
from msgspec import Struct
from msgspec.structs import replace
from yarl import URL

from exporter.clock import Clock
from exporter.gigas.answers import NotUnderstood
from exporter.gigas.errors import (
    GigasError,
    InvalidAnswer,
    RedirectRefused,
    ServerError,
    StatusError,
    Throttled429,
    of_status,
)
from exporter.gigas.events import Event, RequestDone, Throttled
from exporter.gigas.limits import Limiter
from exporter.gigas.provider_clock import ProviderClock
from exporter.gigas.requests import Get, Request
from exporter.gigas.retry import backoff_s, http_date, retry_after_s
from exporter.gigas.transport import Exchange, Transport

__all__ = ["Answer", "Asker", "Authorize", "Understand"]

_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

T = TypeVar("T")


class Answer(Struct, Generic[T], frozen=True, gc=False):
    """`asked_at`: the provider's time when it was asked; `asked_seen_at`: ours; `took_s`: until the answer began."""

    document: T
    asked_at: float
    asked_seen_at: float
    took_s: float = 0.0


Authorize = Callable[[], Awaitable[str | None]]
"""The value of `Authorization`; it may log in first."""
Understand = Callable[[Exchange], Awaitable[T]]
"""The document in an answer. Raises NotUnderstood."""
Place = Callable[[], Awaitable[AbstractContextManager[None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks for one account. `place`: takes what is held during an attempt."""

    account: str
    transport: Transport
    limiter: Limiter
    place: Place
    attempts: int
    provider_clock: ProviderClock
    clock: Clock
    random: Random
    on_event: Callable[[Event], None]

    async def ask(self, request: Request, understand: Understand[T], authorize: Authorize) -> Answer[T]:
        """Raise GigasError when it is given up; what `authorize` raises goes through untouched."""
        attempt, redirects = 1, 0
        while True:
            with await self.place():
                # Before the turn: whoever waits for a login after it would go with all the others that do, at once.
                # And after it where it took time, since that may be a minute.
                authorization = await authorize()
                if not self.limiter.takes_turn():
                    await self.limiter.turn()
                    authorization = await authorize()
                outcome = await self._attempt(request, authorization, understand)
            if isinstance(outcome, Answer):
                return outcome
            if isinstance(outcome, Get):
                redirects += 1
                if redirects > _MOST_REDIRECTS:
                    self._give_up(InvalidAnswer(self.account, request.endpoint, "too many redirects"), attempt)
                request = outcome
                continue
            if not outcome.retryable or attempt >= self.attempts:
                self._give_up(outcome, attempt)
            await self._wait(outcome, attempt)
            attempt += 1

    def _give_up(self, error: GigasError, attempts: int) -> NoReturn:
        error.attempts = attempts
        raise error

    async def _attempt(
        self, request: Request, authorization: str | None, understand: Understand[T]
    ) -> Answer[T] | Get | GigasError:
        """Return the document, where to ask instead, or what went wrong."""
        sent_s = self.clock.monotonic_s()
        duration_s = None
        outcome: Answer[T] | Get | GigasError
        try:
            exchange = await self.transport.send(request, authorization)
            duration_s = self.clock.monotonic_s() - sent_s
            code = str(exchange.status)
            self._see_clock(exchange)
            if exchange.succeeded:
                outcome = self._answer(exchange, await understand(exchange))
            else:
                outcome = self._other(request, exchange)
        except NotUnderstood as error:
            outcome = InvalidAnswer(self.account, request.endpoint, f"the answer is not understood: {error}")
            outcome.__cause__ = error
        except GigasError as error:
            outcome = error
        if isinstance(outcome, GigasError):
            code = outcome.code
        self.on_event(RequestDone(self.account, request.endpoint, code, self.clock.monotonic_s() - sent_s))
        if isinstance(outcome, Throttled429):
            self.limiter.refused(sent_s=sent_s, retry_after_s=outcome.retry_after_s)
        elif duration_s is None or isinstance(outcome, ServerError):
            self.limiter.failed(sent_s=sent_s)
        else:
            self.limiter.succeeded(sent_s=sent_s, duration_s=duration_s)
        return outcome

    def _answer(self, exchange: Exchange, document: T) -> Answer[T]:
        asked_seen_at = exchange.sent_seen_at
        took_s = max(0.0, exchange.received_seen_at - asked_seen_at)
        return Answer(document, self.provider_clock.at(asked_seen_at), asked_seen_at, took_s)

    def _other(self, request: Request, exchange: Exchange) -> Get:
        """Where to ask instead; what went wrong is raised."""
        if exchange.status in _REDIRECTS:
            return self._moved(request, exchange)
        now_at = self.provider_clock.at(exchange.received_seen_at)
        delay_s = retry_after_s(exchange.headers.get(hdrs.RETRY_AFTER), now_at=now_at)
        raise of_status(self.account, request.endpoint, exchange.status, retry_after_s=delay_s)

    def _moved(self, request: Request, exchange: Exchange) -> Get:
        """What a redirect asks for, if it stays with the server that we were told to trust."""
        target = _joined(request.url, exchange.headers.get(hdrs.LOCATION))
        if isinstance(request, Get) and target is not None and target.origin() == request.url.origin():
            return replace(request, url=target)
        where = "nowhere" if target is None else f"to {target.origin()}"
        cause = f"HTTP {exchange.status} {where}, refused"
        raise RedirectRefused(self.account, request.endpoint, exchange.status, cause=cause)

    def _see_clock(self, exchange: Exchange) -> None:
        date_at = http_date(exchange.headers.get(hdrs.DATE))
        if date_at is not None and hdrs.AGE not in exchange.headers:  # A cache's copy has the date of the first answer.
            self.provider_clock.observe(
                date_at=date_at,
                sent_seen_at=exchange.sent_seen_at,
                received_seen_at=exchange.received_seen_at,
            )

    async def _wait(self, error: GigasError, attempt: int) -> None:
        if isinstance(error, Throttled429):  # All of the account waits: the limiter sees to it.
            return
        asked_s = error.retry_after_s if isinstance(error, StatusError) else None
        delay_s = max(backoff_s(attempt, chance=self.random.random()), asked_s or 0.0)
        await self.clock.sleep(delay_s)
        if asked_s:
            self.on_event(Throttled(self.account, delay_s))


def _joined(url: URL, location: str | None) -> URL | None:
    """The address that `Location` means; none where it names none, or a user to be there."""
    if not location:
        return None
    try:
        target = url.join(URL(location))
        target.origin()
    except ValueError:
        return None
    return target if target.user is None else None

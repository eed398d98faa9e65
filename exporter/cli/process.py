"""The process around the daemon: signals, logs, and secrets kept out of them."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence

import click

from exporter import logs
from exporter.app import Daemon, share_one_heap, spare_what_is_loaded
from exporter.clock import SystemClock, take_short_turns
from exporter.ledger import LedgerFailed, LedgerNotOpened
from exporter.settings import Settings
from exporter.web import ListenFailed

__all__ = ["ignore_signals", "ready_to_log", "serve", "stop_on_signals"]

_STOPPING = (signal.SIGTERM, signal.SIGINT)


def ready_to_log(settings: Settings, *, level: str | None = None) -> Settings:
    """Log as the settings say (or from that level on), and never a secret of theirs."""
    logs.redactor.hide(_secrets(settings))
    logs.configure(level or settings.log.level, settings.log.format)
    return settings


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    for number in _STOPPING:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def ignore_signals() -> None:
    """What is over need not be ended: whoever is impatient, and asks twice, gets no failure for it."""
    for number in _STOPPING:
        asyncio.get_running_loop().remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)


def _secrets(settings: Settings) -> Iterator[str]:
    for account in settings.accounts:
        for secret in (account.secret(), account.totp_secret()):
            if secret is not None:
                # A file may go between being checked and being read again: whoever needs it will say so.
                with contextlib.suppress(OSError, ValueError):
                    yield secret.read()


async def serve(
    settings: Settings,
    *,
    reread: Callable[[], Settings],
    on_listening: Callable[[Sequence[str]], None] = lambda _: None,
) -> None:
    """Run the daemon until SIGTERM or SIGINT; SIGHUP reads the settings anew. Raises ClickException."""
    share_one_heap()
    spare_what_is_loaded()
    take_short_turns()
    stop = stop_on_signals()
    daemon = Daemon(
        ready_to_log(settings),
        reread=lambda: ready_to_log(reread()),
        clock=SystemClock(),
        on_listening=on_listening,
    )
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, daemon.request_reload)
    try:
        await daemon.run(stop)
    except (ListenFailed, LedgerNotOpened, LedgerFailed) as error:
        raise click.ClickException(str(error)) from error
    finally:
        ignore_signals()

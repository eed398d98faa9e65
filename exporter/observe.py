"""Events of the lower rooms become counts and, where they are news, log lines.

The rooms below tell what happened and know neither metrics nor logs. A failure that lasts is said when it begins, when
its cause changes, and when it ends.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import structlog

from exporter.clock import Clock
from exporter.gigas import Event, RequestDone, Throttled
from exporter.intake import FleetChanged, ReadingTaken
from exporter.logs import Lasting
from exporter.metrics import Own
from exporter.schedule import CollectorRan, LookFailed, TaskFailed

__all__ = ["Observer"]

_NAMES_IN_A_LINE = 10
_COLLECTORS = ("inventory", "cpu", "traffic")

_Told = Event | ReadingTaken | FleetChanged | CollectorRan | LookFailed | TaskFailed


class Observer:
    """`told` takes every event; the other methods say what only the daemon itself knows."""

    def __init__(self, *, own: Own, clock: Clock) -> None:
        self._own = own
        self._clock = clock
        self._log = structlog.get_logger("gigas-exporter")
        self._lasting = Lasting()
        self._handlers: Mapping[type, Callable[[Any], None]] = MappingProxyType(
            {
                RequestDone: self._request_done,
                Throttled: self._throttled,
                ReadingTaken: self._reading_taken,
                FleetChanged: self._fleet_changed,
                CollectorRan: self._collector_ran,
                LookFailed: self._look_failed,
                TaskFailed: self._task_failed,
            }
        )
        own.gauge("gigas_exporter_active").set(1)

    def told(self, event: _Told) -> None:
        """Count it; log it if it is news."""
        self._handlers[type(event)](event)

    def account_watched(self, account: str) -> None:
        """Show the account's counters as 0 before their first event."""
        self._own.counter("gigas_exporter_api_throttled_seconds_total").labels(account)
        for collector in _COLLECTORS:
            self._own.counter("gigas_exporter_duplicates_total").labels(account, collector)
            if collector != "inventory":
                self._own.counter("gigas_exporter_lost_seconds_total").labels(account, collector)
                self._own.counter("gigas_exporter_refused_values_total").labels(account, collector)

    def account_forgotten(self, account: str) -> None:
        """Drop what was counted for an account that is not watched any more."""
        self._own.forget_account(account)
        self._lasting.forget(account)

    def started(self, urls: Sequence[str], *, accounts: int) -> None:
        self._log.info("listening", addresses=" ".join(urls), accounts=accounts)

    def stopping(self) -> None:
        self._log.info("stopping")

    def stopped(self) -> None:
        self._log.info("stopped")

    def configured(self, *, at_start: bool = False, only_at_start: Sequence[str] = ()) -> None:
        """Note that a configuration is in force; name what of it waits for the next start."""
        self._own.gauge("gigas_exporter_config_last_reload_successful").set(1)
        self._own.gauge("gigas_exporter_config_last_reload_success_timestamp_seconds").set(self._clock.wall_s())
        for setting in only_at_start:
            self._log.warning("setting applies at the next start only", setting=setting)
        if not at_start:
            self._log.info("configuration reloaded")

    def misconfigured(self, problems: Sequence[object]) -> None:
        """Note that a configuration was refused; the one before stays in force."""
        self._own.gauge("gigas_exporter_config_last_reload_successful").set(0)
        for problem in problems:
            self._log.error("configuration refused", problem=str(problem))

    def not_available(self, setting: str, consequence: str) -> None:
        """Say that a setting has no effect in this version."""
        self._log.warning("not available yet", setting=setting, consequence=consequence)

    def _request_done(self, event: RequestDone) -> None:
        requests = self._own.counter("gigas_exporter_api_requests_total")
        requests.labels(event.account, event.endpoint, event.code).inc()
        self._own.histogram("gigas_exporter_api_request_duration_seconds").labels(event.endpoint).observe(
            event.duration_s
        )

    def _throttled(self, event: Throttled) -> None:
        self._own.counter("gigas_exporter_api_throttled_seconds_total").labels(event.account).inc(event.waited_s)

    def _reading_taken(self, event: ReadingTaken) -> None:
        for name, amount in (
            ("gigas_exporter_lost_seconds_total", event.lost_s),
            ("gigas_exporter_refused_values_total", event.refused),
            ("gigas_exporter_duplicates_total", event.duplicates),
        ):
            if amount:
                self._own.counter(name).labels(event.account, event.collector).inc(amount)
        if event.lost_s:
            self._log.warning(
                "time lost", account=event.account, collector=event.collector, vm_id=event.vm_id, seconds=event.lost_s
            )

    def _fleet_changed(self, event: FleetChanged) -> None:
        for phrase, names in (("vms found", event.born), ("vms gone", event.gone)):
            if names:
                self._log.info(phrase, account=event.account, count=len(names), vms=_some(names))
        for old, new in event.renamed:
            self._log.info("vm renamed", account=event.account, old=old, new=new)

    def _collector_ran(self, event: CollectorRan) -> None:
        where = (event.account, event.collector)
        self._own.gauge("gigas_exporter_collector_duration_seconds").labels(*where).set(event.duration_s)
        self._own.gauge("gigas_exporter_collector_success").labels(*where).set(event.error is None)
        if event.error is not None:
            if self._lasting.failed(*where, cause=event.error.cause):
                self._log.error(
                    "collection failed",
                    account=event.account,
                    collector=event.collector,
                    endpoint=event.error.endpoint,
                    cause=event.error.cause,
                )
            return
        now_s = self._clock.wall_s()
        self._own.gauge("gigas_exporter_collector_last_success_timestamp_seconds").labels(*where).set(now_s)
        failures = self._lasting.ended(*where)
        if failures:
            self._log.info("collection works again", account=event.account, collector=event.collector, failed=failures)

    def _look_failed(self, event: LookFailed) -> None:
        where = (event.account, event.collector, event.vm_id)
        if event.error is None:
            failures = self._lasting.ended(*where)
            if failures:
                self._log.debug("vm answers again", account=event.account, vm_id=event.vm_id, failed=failures)
        elif self._lasting.failed(*where, cause=event.error.cause):
            # One line a VM would be a thousand when the provider fails: the collector's own line says that.
            self._log.debug(
                "vm not looked at",
                account=event.account,
                collector=event.collector,
                vm_id=event.vm_id,
                cause=event.error.cause,
            )

    def _task_failed(self, event: TaskFailed) -> None:
        self._own.counter("gigas_exporter_internal_errors_total").labels(event.task).inc()
        self._log.error("internal error", task=event.task, again_in_s=event.pause_s, exc_info=event.error)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_IN_A_LINE} more" if len(names) > _NAMES_IN_A_LINE else ""
    return ", ".join(names[:_NAMES_IN_A_LINE]) + more

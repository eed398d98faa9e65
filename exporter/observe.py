"""Events of the lower rooms become counts and, where they are news, log lines.

The rooms below tell what happened and know neither metrics nor logs. A failure that lasts is said when it begins, when
its cause changes, and when it ends.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import structlog

from exporter.clock import Clock
from exporter.collectors import ACCOUNT_COLLECTORS, VM_COLLECTORS
from exporter.gigas import Event, RequestDone, Throttled
from exporter.intake import (
    CommitFailed,
    Committed,
    FleetChanged,
    FoldFailed,
    IntakeEvent,
    LockEnded,
    ReadingTaken,
    Restored,
)
from exporter.logs import Lasting
from exporter.metrics import Own
from exporter.schedule import AgesSeen, CollectorRan, LookBackFailed, LookFailed, LooksBegan, TaskFailed

__all__ = ["Observer"]

_NAMES_IN_A_LINE = 10
_CAUSES_IN_A_LINE = 3
_TRACEBACK_EVERY_S = 3_600.0
"""A fault of ours that comes again and again is counted each time, and said again after so long."""

_PROGRESS_EVERY_S = 60.0
_UNWRITTEN = "counting goes on; after a crash counters may begin where they were last written"
_TIME_SHOWN = (
    "gigas_exporter_lost_seconds_total",
    "gigas_exporter_caught_up_seconds_total",
    "gigas_exporter_estimated_seconds_total",
)

_HISTOGRAMS = ("gigas_exporter_data_age_seconds", "gigas_exporter_look_lateness_seconds")
"""Of those that are of an account and a collector."""

_Told = Event | IntakeEvent | CollectorRan | LookFailed | LooksBegan | AgesSeen | LookBackFailed | TaskFailed


@dataclass(slots=True)
class _Lost:
    """What was lost since it was last said."""

    seconds: float = 0.0
    readings: int = 0


@dataclass(slots=True)
class _CatchingUp:
    """Seconds that longer periods have paid since something is missing, and those that none can; of how many VMs when
    it was last said.
    """

    vms: int = 0
    paid: float = 0.0
    estimated: float = 0.0
    lost: float = 0.0
    said_s: float = -math.inf

    def seconds(self) -> Mapping[str, float]:
        return {"paid_s": self.paid, "estimated_s": self.estimated, "lost_s": self.lost}


class Observer:
    """`told` takes every event; the other methods say what only the daemon itself knows."""

    def __init__(self, *, own: Own, clock: Clock) -> None:
        self._own = own
        self._clock = clock
        self._log = structlog.get_logger("gigas-exporter")
        self._lasting = Lasting()
        self._lost: dict[tuple[str, str], _Lost] = {}
        self._catching_up: dict[tuple[str, str], _CatchingUp] = {}
        self._told_until_s: dict[tuple[str, str], float] = {}
        self._handlers: Mapping[type, Callable[[Any], None]] = MappingProxyType(
            {
                RequestDone: self._request_done,
                Throttled: self._throttled,
                ReadingTaken: self._reading_taken,
                FleetChanged: self._fleet_changed,
                LockEnded: self._lock_ended,
                FoldFailed: self._fold_failed,
                Restored: self._restored,
                Committed: self._committed,
                CommitFailed: self._commit_failed,
                CollectorRan: self._collector_ran,
                LookFailed: self._look_failed,
                LooksBegan: self._looks_began,
                AgesSeen: self._ages_seen,
                LookBackFailed: self._look_back_failed,
                TaskFailed: self._task_failed,
            }
        )
        own.gauge("gigas_exporter_active").set(1)
        own.gauge("gigas_exporter_ledger_up").set(1)

    def told(self, event: _Told) -> None:
        """Count it; log it if it is news."""
        self._handlers[type(event)](event)

    def account_watched(self, account: str) -> None:
        """Show the account's counters as 0 before their first event."""
        self.tasks_owned(_tasks_of(account))
        self._own.counter("gigas_exporter_api_throttled_seconds_total", account)
        self._own.histogram("gigas_vm_lock_duration_seconds", account)
        for collector in (*ACCOUNT_COLLECTORS, *VM_COLLECTORS):
            self._own.counter("gigas_exporter_duplicates_total", account, collector)
        for collector in VM_COLLECTORS:
            for name in _TIME_SHOWN:
                self._own.counter(name, account, collector)
            self._own.counter("gigas_exporter_refused_values_total", account, collector)
            self._own.counter("gigas_exporter_buckets_total", account, collector)
            self._own.gauge("gigas_exporter_due_vms", account, collector)
            for name in _HISTOGRAMS:
                self._own.histogram(name, account, collector)

    def account_forgotten(self, account: str) -> None:
        """Drop what was counted for an account that is not watched any more."""
        self._own.forget_account(account)
        self._lasting.forget(account)
        for task in _tasks_of(account):
            self._own.forget("gigas_exporter_internal_errors_total", task=task)
            for kind in [kind for kind in self._told_until_s if kind[0] == task]:
                del self._told_until_s[kind]
        for collector in VM_COLLECTORS:
            self._lost.pop((account, collector), None)
            self._catching_up.pop((account, collector), None)

    def sharded(self, *, index: int, total: int) -> None:
        """Show which part of the VMs is watched, of how many."""
        self._own.forget("gigas_exporter_shard_info")
        self._own.gauge("gigas_exporter_shard_info", str(index), str(total)).set(1)

    def tasks_owned(self, tasks: Iterable[str]) -> None:
        """Show that tasks have had no fault of ours so far."""
        for task in tasks:
            self._own.counter("gigas_exporter_internal_errors_total", task)

    def ledger_opened(self, path: str, *, moved_to: str | None) -> None:
        """Note where counters are remembered, and what became of a file there that could not be used."""
        if moved_to is not None:
            self._log.warning("unusable ledger moved aside, counting starts anew", path=path, moved_to=moved_to)
        self._log.info("ledger opened", path=path)

    def account_pruned(self, account: str) -> None:
        self._log.info("account forgotten, nobody has watched it for long", account=account)

    def standing_by(self, cause: str) -> None:
        """Note that another process collects."""
        self._own.gauge("gigas_exporter_active").set(0)
        if self._lasting.failed("", "standby", cause="held"):
            self._log.info("standing by", cause=cause)

    def active(self) -> None:
        """Note that this process collects."""
        self._own.gauge("gigas_exporter_active").set(1)
        if self._lasting.ended("", "standby"):
            self._log.info("taking over")

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

    def _request_done(self, event: RequestDone) -> None:
        self._own.counter("gigas_exporter_api_requests_total", event.account, event.endpoint, event.code).inc()
        self._own.histogram("gigas_exporter_api_request_duration_seconds", event.endpoint).observe(event.duration_s)

    def _throttled(self, event: Throttled) -> None:
        self._own.counter("gigas_exporter_api_throttled_seconds_total", event.account).inc(event.waited_s)

    def _reading_taken(self, event: ReadingTaken) -> None:
        for name, amount in (
            *zip(_TIME_SHOWN, (event.lost_s, event.caught_up_s, event.estimated_s), strict=True),
            ("gigas_exporter_buckets_total", event.buckets),
            ("gigas_exporter_refused_values_total", event.refused),
            ("gigas_exporter_duplicates_total", event.duplicates),
        ):
            if amount:
                self._own.counter(name, event.account, event.collector).inc(amount)
        where = (event.account, event.collector)
        if event.caught_up_s or event.lost_s:
            catching_up = self._catching_up.setdefault(where, _CatchingUp())
            catching_up.paid += event.caught_up_s
            catching_up.estimated += event.estimated_s
            catching_up.lost += event.lost_s
        if event.caught_up_s:
            self._lasting.ended(*where, "back")
        if event.lost_s:
            lost = self._lost.setdefault(where, _Lost())
            lost.seconds += event.lost_s
            lost.readings += 1
            self._log.debug(
                "vm lost time",
                account=event.account,
                collector=event.collector,
                vm_id=event.vm_id,
                seconds=event.lost_s,
            )

    def _say_what_was_lost(self, account: str, collector: str) -> None:
        """After an outage every VM has lost something, and that is one line; where it goes on, one more at its end."""
        lost = self._lost.pop((account, collector), None)
        where = (account, collector, "lost")
        if lost is not None and self._lasting.failed(*where, cause="lost"):
            self._log.warning(
                "time lost", account=account, collector=collector, seconds=lost.seconds, answers=lost.readings
            )
        elif lost is None and (runs := self._lasting.ended(*where)) > 1:
            self._log.info("no more time lost", account=account, collector=collector, runs=runs)

    def _say_what_is_missing(self, event: CollectorRan) -> None:
        """When something begins to wait for longer periods, from time to time while it goes on, and at the end; that
        is all where it was paid before there was anything to say.
        """
        where, now_s = (event.account, event.collector), self._clock.monotonic_s()
        fields = {"account": event.account, "collector": event.collector}
        if not event.owing:
            self._lasting.ended(*where, "back")
            known = self._catching_up.pop(where, None)
            if known is not None and (known.vms or known.paid):
                self._log.info("caught up", **fields, **known.seconds())
            return
        known = self._catching_up.setdefault(where, _CatchingUp())
        if event.owing != known.vms and now_s >= known.said_s + _PROGRESS_EVERY_S:
            known.vms, known.said_s = event.owing, now_s
            self._log.info("catching up", **fields, vms=event.owing, **known.seconds())

    def _restored(self, event: Restored) -> None:
        self._log.info("counters restored", account=event.account, vms=event.vms)

    def _committed(self, event: Committed) -> None:
        self._own.gauge("gigas_exporter_ledger_up").set(1)
        self._own.gauge("gigas_exporter_ledger_unwritten_vms").set(0)
        self._own.gauge("gigas_exporter_ledger_size_bytes").set(event.size_bytes)
        self._own.histogram("gigas_exporter_ledger_commit_duration_seconds").observe(event.duration_s)
        if failures := self._lasting.ended("", "ledger"):
            self._log.info("ledger written again", failures=failures)

    def _commit_failed(self, event: CommitFailed) -> None:
        self._own.gauge("gigas_exporter_ledger_up").set(0)
        self._own.gauge("gigas_exporter_ledger_unwritten_vms").set(event.vms)
        self._own.counter("gigas_exporter_ledger_commit_failures_total").inc()
        if self._lasting.failed("", "ledger", cause=event.cause):
            self._log.error("ledger not written", cause=event.cause, consequence=_UNWRITTEN)

    def _lock_ended(self, event: LockEnded) -> None:
        self._own.histogram("gigas_vm_lock_duration_seconds", event.account).observe(event.lasted_s)

    def _fleet_changed(self, event: FleetChanged) -> None:
        for phrase, names in (("vms found", event.born), ("vms gone", event.gone)):
            if names:
                self._log.info(phrase, account=event.account, count=len(names), vms=_some(names))
        for old, new in event.renamed:
            self._log.info("vm renamed", account=event.account, old=old, new=new)

    def _collector_ran(self, event: CollectorRan) -> None:
        where = (event.account, event.collector)
        self._own.gauge("gigas_exporter_collector_duration_seconds", *where).set(event.duration_s)
        self._own.gauge("gigas_exporter_collector_success", *where).set(event.error is None)
        if event.error is None:
            now_s = self._clock.wall_s()
            self._own.gauge("gigas_exporter_collector_last_success_timestamp_seconds", *where).set(now_s)
        self._say_what_was_lost(*where)
        self._say_what_is_missing(event)
        self._say_what_fails(event)

    def _say_what_fails(self, event: CollectorRan) -> None:
        """One line for the collector, whether all fails or a few VMs do: one a VM would be a thousand."""
        where = (event.account, event.collector)
        causes = _causes(event)
        if event.error is not None:
            if self._lasting.failed(*where, cause=f"all: {causes}"):
                self._log.error(
                    "collection failed",
                    account=event.account,
                    collector=event.collector,
                    endpoint=event.error.endpoint,
                    cause=causes,
                )
        elif event.failing:
            if self._lasting.failed(*where, cause=f"some: {causes}"):
                self._log.warning(
                    "some vms fail",
                    account=event.account,
                    collector=event.collector,
                    failing=event.failing,
                    vms=event.vms,
                    cause=causes,
                )
        elif failures := self._lasting.ended(*where):
            self._log.info("collection works again", account=event.account, collector=event.collector, failed=failures)

    def _look_failed(self, event: LookFailed) -> None:
        # At info the collector's own line says it, for all its VMs together.
        if event.error is None:
            self._log.debug("vm answers again", account=event.account, collector=event.collector, vm_id=event.vm_id)
        else:
            self._log.debug(
                "vm not looked at",
                account=event.account,
                collector=event.collector,
                vm_id=event.vm_id,
                cause=event.error.cause,
            )

    def _looks_began(self, event: LooksBegan) -> None:
        where = (event.account, event.collector)
        self._own.gauge("gigas_exporter_due_vms", *where).set(event.due)
        lateness = self._own.histogram("gigas_exporter_look_lateness_seconds", *where)
        for late_s in event.late_s:
            lateness.observe(late_s)

    def _ages_seen(self, event: AgesSeen) -> None:
        where = (event.account, event.collector)
        self._own.gauge("gigas_exporter_due_vms", *where).set(event.due)
        ages = self._own.histogram("gigas_exporter_data_age_seconds", *where)
        for age_s in event.ages_s:
            ages.observe(age_s)

    def _look_back_failed(self, event: LookBackFailed) -> None:
        fields = {"account": event.account, "collector": event.collector, "period": event.period}
        if event.is_owed and self._lasting.failed(event.account, event.collector, "back", cause=event.error.cause):
            self._log.warning("catching up fails", **fields, cause=event.error.cause)
        self._log.debug("vm not looked back at", **fields, vm_id=event.vm_id, cause=event.error.cause)

    def _task_failed(self, event: TaskFailed) -> None:
        self._fault(event.task, event.error, again_in_s=event.pause_s)

    def _fold_failed(self, event: FoldFailed) -> None:
        self._fault("intake", event.error, account=event.account, collector=event.collector, vm_id=event.vm_id)

    def _fault(self, task: str, error: Exception, **where: object) -> None:
        self._own.counter("gigas_exporter_internal_errors_total", task).inc()
        # A traceback for each kind of fault, not for each VM that meets it at each look.
        kind, now_s = (task, _kind_of(error)), self._clock.monotonic_s()
        if now_s >= self._told_until_s.get(kind, now_s):
            self._told_until_s[kind] = now_s + _TRACEBACK_EVERY_S
            self._log.error("internal error", task=task, exc_info=error, **where)


def _tasks_of(account: str) -> tuple[str, ...]:
    return tuple(f"{account}/{collector}" for collector in (*ACCOUNT_COLLECTORS, *VM_COLLECTORS))


def _causes(event: CollectorRan) -> str:
    """The reasons why something fails, as one text that stays the same while they do."""
    causes = event.causes or ((event.error.cause,) if event.error is not None else ())
    more = f"; and {len(causes) - _CAUSES_IN_A_LINE} more" if len(causes) > _CAUSES_IN_A_LINE else ""
    return "; ".join(causes[:_CAUSES_IN_A_LINE]) + more


def _kind_of(error: Exception) -> str:
    """What tells one fault of ours from another: its type and the line that it comes from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    return f"{type(error).__name__}{where}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_IN_A_LINE} more" if len(names) > _NAMES_IN_A_LINE else ""
    return ", ".join(names[:_NAMES_IN_A_LINE]) + more

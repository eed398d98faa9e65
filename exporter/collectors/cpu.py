"""The CPU usage of one VM: a list of chunks."""

from exporter.collectors.options import Options
from exporter.collectors.reading import SHORTEST, CpuReading
from exporter.counting import to_ms, width_of_time_units
from exporter.fleet import Machine
from exporter.gigas import AccountClient, CpuStats

__all__ = ["Cpu"]

_SPANS_S = {"-1H": 3_600.0, "-30days": 30 * 86_400.0}
"""What the page says that a period spans; used only where `time_units` cannot be read."""


class Cpu:
    """Percent over a chunk becomes seconds of the whole VM that were busy in it."""

    def __init__(self, options: Options) -> None:
        self._percent_of = options.cpu_percent_of

    async def look(
        self, client: AccountClient, machine: Machine, *, period: str = SHORTEST, width_hint_s: float | None
    ) -> CpuReading:
        answer = await client.cpu_stats(machine.vm_id, period)
        width_s = chunk_width(answer.document, period, width_hint_s)
        return CpuReading(
            account=client.account,
            vm_id=machine.vm_id,
            values=tuple([None if percent is None else percent / 100 * width_s for percent in answer.document.values]),
            width_ms=to_ms(width_s),
            cores=None if self._percent_of == "vm" else max(1, machine.cpus or 1),
            refused=answer.document.refused,
            asked_at=answer.asked_at,
            asked_seen_at=answer.asked_seen_at,
            took_ms=to_ms(answer.took_s),
            period=period,
        )


def chunk_width(document: CpuStats, period: str, width_hint_s: float | None) -> float:
    """Seconds: what `time_units` says, else what the account's windows had so far, else the period by the chunks."""
    told_s = width_of_time_units(document.time_units)
    return told_s or width_hint_s or _SPANS_S[period] / max(1, len(document.values))

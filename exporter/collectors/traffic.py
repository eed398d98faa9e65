"""The traffic of one VM's interfaces: a window of buckets."""

from exporter.collectors.options import Options
from exporter.collectors.reading import SHORTEST, InterfaceReading, TrafficReading
from exporter.counting import Strip, to_ms
from exporter.fleet import Machine
from exporter.gigas import AccountClient, Answer, BwStats

__all__ = ["Traffic"]


class Traffic:
    """Buckets of bytes, or of bytes per second where the settings say that the provider shows those."""

    def __init__(self, options: Options) -> None:
        self._per_second = options.traffic_unit == "bytes_per_second"

    async def look(
        self, client: AccountClient, machine: Machine, *, period: str = SHORTEST, width_hint_s: float | None
    ) -> TrafficReading:
        answer = await client.bw_stats(machine.vm_id, period)
        return TrafficReading(
            account=client.account,
            vm_id=machine.vm_id,
            interfaces=self._interfaces(answer),
            width_hint_ms=None if width_hint_s is None else to_ms(width_hint_s),
            refused=answer.document.refused,
            duplicates=answer.document.duplicates,
            asked_at=answer.asked_at,
            asked_seen_at=answer.asked_seen_at,
            took_ms=to_ms(answer.took_s),
            period=period,
        )

    def _interfaces(self, answer: Answer[BwStats]) -> tuple[InterfaceReading, ...]:
        document = answer.document
        if document.date_from is None or document.date_to is None:
            return ()
        begin_ms, end_ms, asked_ms = to_ms(document.date_from), to_ms(document.date_to), to_ms(answer.asked_at)
        per_second = self._per_second
        return tuple(
            [
                InterfaceReading(
                    told.interface_id,
                    told.network_id,
                    bool(told.public),
                    receive=Strip(begin_ms, end_ms, told.traffic_in, asked_ms, per_second),
                    transmit=Strip(begin_ms, end_ms, told.traffic_out, asked_ms, per_second),
                )
                for told in document.interfaces
            ]
        )

"""The traffic of one VM's interfaces: a window of buckets."""

from collections.abc import Sequence

from exporter.collectors.options import Options
from exporter.collectors.reading import SHORTEST, InterfaceReading, TrafficReading
from exporter.counting import Strip, to_ms
from exporter.fleet import Machine
from exporter.gigas import AccountClient, Answer, BwStats, InterfaceTraffic

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
        count, begin_ms, end_ms = document.count, to_ms(document.date_from), to_ms(document.date_to)
        asked_ms = to_ms(answer.asked_at)

        def strip(values: Sequence[float | None]) -> Strip:
            return Strip(begin_ms, end_ms, values, asked_ms, self._per_second)

        def reading(interface: InterfaceTraffic) -> InterfaceReading:
            buckets = interface.placed(count)
            return InterfaceReading(
                interface.interface_id,
                interface.network_id,
                bool(interface.public),
                receive=strip([bucket.traffic_in for bucket in buckets]),
                transmit=strip([bucket.traffic_out for bucket in buckets]),
            )

        return tuple(map(reading, document.interfaces))

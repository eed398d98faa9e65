"""The traffic of one VM's interfaces: the shortest window of buckets."""

from exporter.collectors.options import Options
from exporter.collectors.reading import InterfaceReading, TrafficReading
from exporter.counting import Window, bucket_width, enter, to_ms
from exporter.fleet import Machine
from exporter.gigas import AccountClient, Answer, BwStats, InterfaceTraffic

__all__ = ["Traffic"]

_PERIOD = "-1H"


class Traffic:
    """Buckets of bytes; where the settings say that the provider shows bytes per second, times the width."""

    def __init__(self, options: Options) -> None:
        self._unit = options.traffic_unit

    async def look(self, client: AccountClient, machine: Machine, *, width_hint_s: float | None) -> TrafficReading:
        answer = await client.bw_stats(machine.vm_id, _PERIOD)
        return TrafficReading(
            account=client.account,
            vm_id=machine.vm_id,
            interfaces=self._interfaces(answer, width_hint_s),
            refused=answer.document.refused,
            duplicates=answer.document.duplicates,
            asked_at=answer.asked_at,
            asked_seen_at=answer.asked_seen_at,
        )

    def _interfaces(self, answer: Answer[BwStats], width_hint_s: float | None) -> tuple[InterfaceReading, ...]:
        document = answer.document
        count = 1 + max((index for interface in document.interfaces for index in interface.buckets), default=-1)
        if document.date_from is None or document.date_to is None:
            return ()
        width_s = bucket_width(from_s=document.date_from, to_s=document.date_to, count=count, hint_s=width_hint_s)
        if width_s is None:
            return ()
        start_ms, width_ms, asked_ms = to_ms(document.date_from), to_ms(width_s), to_ms(answer.asked_at)
        scale = width_s if self._unit == "bytes_per_second" else 1.0

        def window(interface: InterfaceTraffic, way: int) -> Window:
            values = {
                index: None if (value := bucket[way]) is None else enter(value * scale)
                for index, bucket in interface.buckets.items()
            }
            return Window.of(start_ms=start_ms, width_ms=width_ms, count=count, values=values, asked_ms=asked_ms)

        return tuple(
            InterfaceReading(
                interface.interface_id,
                interface.network_id,
                bool(interface.public),
                receive=window(interface, 0),
                transmit=window(interface, 1),
            )
            for interface in document.interfaces
        )

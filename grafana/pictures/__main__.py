"""`python -m grafana.pictures`: some minutes of a fleet's life, then a picture of each dashboard."""

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from exporter.clock import SystemClock
from grafana.pictures.answers import Range
from grafana.pictures.drawing import IMAGES, drawn
from tests.grafana.scraped import Scraped, scraped

RANGE_S = 300.0
_CLOCK = SystemClock()
_SECOND_ACCOUNT = {
    "ACCOUNTS__1__ID": "17903",
    "ACCOUNTS__1__NAME": "staging",
    "ACCOUNTS__1__API_KEY": "demo-key",
}
_STORY: tuple[tuple[float, Mapping[str, object]], ...] = (
    (70, {"locked": True}),
    (25, {"locked": False}),
    (35, {"status": "offline"}),
    (25, {"status": "online"}),
    (45, {"suspended": True}),
    (30, {"suspended": False}),
    (80, {}),
)
"""What happens to the VM that is shown: after so many seconds, this."""


async def _happens(fleet: Scraped, vm_id: str) -> None:
    for after_s, change in _STORY:
        await _CLOCK.sleep(after_s)
        if change:
            await fleet.provider.steer(vm_id, **change)


async def pictures() -> None:
    with tempfile.TemporaryDirectory() as folder:
        simulated = {"vms": 40, "step_s": 5.0, "accounts": ("17893", "17903")}
        async with scraped(
            Path(folder), every="1s", simulated=simulated, COLLECT__STALE_AFTER="40s", **_SECOND_ACCOUNT
        ) as fleet:
            began_s = _CLOCK.wall_s()
            vm_id = next(iter(await fleet.provider.vms()))
            await _happens(fleet, vm_id)
            values = {"account": ".*", "window": "30s", "top": "5", "vm_id": vm_id, "included": "1000"}
            values |= {"interface": ".*", "job": ".+", "instance": ".+"}
            until_s = _CLOCK.wall_s()
            range_ = Range(from_s=until_s - RANGE_S, to_s=until_s, step_s=2.0, began_s=began_s)
            for name, mode, more in (
                ("fleet", "dark", {}),
                ("fleet", "light", {}),
                ("vm", "dark", {"account": "production"}),
                ("exporter", "dark", {}),
            ):
                picture = IMAGES / (f"{name}.png" if mode == "dark" else f"{name}-{mode}.png")
                await drawn(fleet, name, values | more, range_, mode=mode, picture=picture)


if __name__ == "__main__":
    asyncio.run(pictures())

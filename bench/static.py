"""A server that answers at once with documents that are ready: `python -m bench.static VMS`, prints its port."""

import asyncio
import json
import sys

import aiohttp
from aiohttp import web

from exporter.clock import SystemClock
from exporter.simulator import SimulatorOptions, build_app

VM = "178931011500"


async def main(vms: int) -> None:
    """Ask the simulation once for each kind of document, and repeat its answers for ever."""
    options = SimulatorOptions(vms=vms, page_cap=1_000)
    runner = web.AppRunner(build_app(options, clock=SystemClock()), access_log=None)
    await runner.setup()
    simulated = web.TCPSite(runner, "127.0.0.1", 0)
    await simulated.start()
    documents = await _documents(f"http://127.0.0.1:{runner.addresses[0][1]}/account/17893", options.api_key)
    await runner.cleanup()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=documents[request.path.rpartition("/")[2]], content_type="application/json")

    ready = web.Application()
    ready.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(ready, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.Event().wait()


async def _documents(base: str, key: str) -> dict[str, bytes]:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
        return {
            name: await (await session.get(f"{base}/virtual_machine/{VM}/{name}?period=-1H")).read()
            for name in ("cpu_stats", "bw_stats")
        }


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

"""Answers become a picture: `draw.jsx`, bundled by `make images`, in a headless Chromium."""

import functools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from grafana.files import FOLDER
from grafana.pictures.answers import Range, answered
from tests.grafana.scraped import Scraped
from tests.processes import process
from tests.tools import tool

__all__ = ["IMAGES", "drawn"]

HERE = Path(__file__).parent
BUILT = HERE / "build"
IMAGES = HERE.parents[1] / "docs/images"
WIDTH, UNIT, GAP = 1_600, 38, 8
"""Pixels: of the page, of a unit of the grid, between panels. As in draw.jsx."""


async def drawn(
    fleet: Scraped, name: str, values: Mapping[str, str], shown: Range, *, mode: str, picture: Path
) -> None:
    """`mode`: dark or light."""
    dashboard: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    panels = [await answered(fleet, panel, values, shown) for panel in dashboard["panels"]]
    in_ms = {"from": shown.from_s * 1000, "to": shown.to_s * 1000, "step": shown.step_s * 1000}
    picture.parent.mkdir(exist_ok=True)
    (BUILT / "drawn.json").write_text(json.dumps({"panels": panels, "range": in_ms, "mode": mode}))
    height = GAP + UNIT * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    with _served(BUILT) as url:
        await _photographed(f"{url}/page.html", height, picture)


async def _photographed(url: str, height: int, picture: Path) -> None:
    """A panel that could not be drawn fails it: the page says so on its console."""
    async with process(
        tool("chromium", "chromium"),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        f"--window-size={WIDTH},{height}",
        "--virtual-time-budget=20000",  # Chromium's own time: as soon as nothing is left to do it has passed
        f"--screenshot={picture}",
        url,
    ) as chromium:
        await chromium.ended(within_s=120)
    log = chromium.log()
    if "could not draw" in log or "written to file" not in log:
        raise RuntimeError(log)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Files over HTTP, since a page may not fetch others from a disk."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name for it
        """Say nothing."""

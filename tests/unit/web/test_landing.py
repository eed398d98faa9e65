"""The pages for people, and for whoever watches the daemon."""

import re
from html.parser import HTMLParser

import pytest

from exporter.fleet import AccountView
from tests.builders import vm
from tests.unit.web.serving import listed, serving

XSS = "</td><script>alert(1)</script>\"onmouseover='alert(2)' & co"


class Read(HTMLParser):
    """Rows of the table as text, addresses of links, and every kind of element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip("\n")


async def test_each_account_has_its_state_in_a_line() -> None:
    accounts = [
        AccountView(name="fine", account_id="1", up=True, listed=True),
        AccountView(name="partly", account_id="2", up=True, listed=True, broken=2),
        AccountView(name="failing", account_id="3", up=False, listed=True),
        AccountView(name="refused", account_id="4", up=False),
        AccountView(name="new", account_id="5"),
    ]
    async with serving(accounts) as served:
        served.fleet.replace("fine", [vm("fine", vm_id=str(n)) for n in range(3)])
        served.fleet.replace("failing", [vm("failing")])
        answer = await served.ask("/")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        page = Read(answer.text)
        assert "version 1.2.3" in page.text
        assert page.rows[1:] == [
            ["fine", "listed", "3"],
            ["partly", "listed; 2 of its VMs could not be understood", "0"],
            ["failing", "the last listing failed; VMs as last known", "1"],
            ["refused", "the last listing failed", "not known yet"],
            ["new", "not listed yet", "not known yet"],
        ]


async def test_the_name_of_an_account_is_text_and_nothing_else() -> None:
    async with serving(listed(XSS)) as served:
        answer = await served.ask("/")
        page = Read(answer.text)
        assert page.rows[1][0] == XSS
        assert "script" not in page.elements
        assert "onmouseover" not in page.attributes
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("telemetry_path", ["/metrics", "/gigas/metrics", '/"quoted"', "/métricas"])
async def test_every_link_leads_somewhere(telemetry_path: str) -> None:
    async with serving(listed("production", XSS, "ñ ☕ a/b"), telemetry_path=telemetry_path) as served:
        links = Read((await served.ask("/")).text).links
        assert len(links) == 6
        for link in links:
            assert (await served.ask(link)).status == 200, link
        of_accounts = [(await served.ask(link)).text for link in links if "account=" in link]
        assert [re.findall(r'gigas_up{account="(.*)"}', page) for page in of_accounts] == [
            ["production"],
            [XSS.replace('"', r"\"")],
            ["ñ ☕ a/b"],
        ]


async def test_healthy_is_whoever_can_serve() -> None:
    async with serving([AccountView(name="new", account_id="1")]) as served:
        assert (await served.ask("/-/healthy")).status == 200


async def test_ready_is_who_shows_that_each_account_was_listed_or_has_failed() -> None:
    async with serving([AccountView(name=name, account_id=name) for name in ("fine", "refused")]) as served:
        for view in (
            AccountView(name="fine", account_id="fine", up=True, listed=True),
            AccountView(name="refused", account_id="refused", up=False),
        ):
            waiting = await served.ask("/-/ready")
            assert (waiting.status, view.name in waiting.text) == (503, True)
            served.fleet.set_account(view)
            # It is known, but a scrape would not show it yet.
            assert (await served.ask("/-/ready")).status == 503
            await served.page.refresh()
        assert (await served.ask("/-/ready")).status == 200
        assert (await served.ask("/-/ready", "HEAD")).status == 200

"""The process as an operator meets it: what it says, what it returns, and that it heals."""

import asyncio
import signal
from functools import partial
from pathlib import Path

import pytest

from tests.exposition import Page
from tests.processes import Process, answers, exporter, finished, free_port, get, process
from tests.running import Provider, provider
from tests.tools import tool
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

ACCOUNT = "accounts: [{id: '17893', name: production, api_key: some-secret-key}]\n"


def account(url: str, port: int | None = None, **more: str) -> dict[str, str]:
    """The environment of a daemon that looks often."""
    variables = {
        "ACCOUNTS__0__ID": "17893",
        "ACCOUNTS__0__NAME": "production",
        "API__URL": url,
        "STATE__PATH": ":memory:",
        "COLLECT__INVENTORY__INTERVAL": "300ms",
        "COLLECT__CPU__INTERVAL": "300ms",
        "COLLECT__TRAFFIC__INTERVAL": "300ms",
    }
    if port is not None:
        variables["WEB__LISTEN_ADDRESS"] = f"127.0.0.1:{port}"
    if not any(name.startswith("ACCOUNTS__0__") for name in more):
        variables["ACCOUNTS__0__API_KEY"] = "demo-key"
    return {f"GIGAS_EXPORTER_{name}": value for name, value in (variables | more).items()}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("accounts: [", ["{file}:1: is not valid YAML: expected the node content, but found '<stream end>'"]),
        ("- 1", ["{file}: is not a mapping of settings; begin with accounts:"]),
        (ACCOUNT + "web: {listen: ':1'}", ["web.listen ({file}:2): no such setting; did you mean listen_address?"]),
        (ACCOUNT + "acounts: []", ["acounts ({file}:2): no such setting; did you mean accounts?"]),
        (
            ACCOUNT + "collect: {stale_after: 10 minutes}\napi: {url: ftp://x, page_size: many}",
            [
                "api.url ({file}:3): is not an address; write https://api.gigas.com",
                "api.page_size ({file}:3): is not a whole number",
                (
                    "collect.stale_after ({file}:2): is not a duration; write 500ms, 30s, 15m or 1h30m, "
                    "or a number of seconds"
                ),
            ],
        ),
        (
            "accounts: [{id: 1, api_key_file: /nonexistent/key}]",
            ["accounts.0.api_key_file ({file}:1): cannot read /nonexistent/key: No such file or directory"],
        ),
        ("accounts: [{id: 1, api_key_file: /}]", ["accounts.0.api_key_file ({file}:1): cannot read /: Is a directory"]),
        (
            "accounts: [{id: 1}, {id: 2, api_key: a-secret, password: another-secret}]",
            [
                "accounts.0 ({file}:1): needs one of api_key, api_key_file, password, password_file",
                "accounts.1 ({file}:1): has api_key and password; one is enough",
            ],
        ),
        (
            "accounts: [{id: 1, api_key: a-secret}, {id: 1, api_key: a-secret}]",
            ["accounts ({file}:1): two have the name '1'; give each a name of its own"],
        ),
        ("", ["accounts (not set): none is configured; at least an id and an api_key_file are needed"]),
    ],
)
async def test_each_mistake_of_a_configuration_is_one_line(tmp_path: Path, text: str, lines: list[str]) -> None:
    file = tmp_path / "exporter.yml"
    file.write_text(text)
    code, output, errors = await finished("run", "--config.file", file)
    assert (code, output) == (2, "")
    assert errors.splitlines() == [f"gigas-exporter: {line.format(file=file)}" for line in lines]
    assert "secret" not in errors


async def test_a_missing_file_a_wrong_flag_and_a_wrong_variable_are_lines_too(tmp_path: Path) -> None:
    file = tmp_path / "none.yml"
    _, _, errors = await finished("run", "--config.file", file)
    assert errors == f"gigas-exporter: config.file (--config.file): cannot read {file}: No such file or directory\n"
    code, _, errors = await finished("run", "--shard.indx", "1")
    assert code == 2
    assert errors.startswith("gigas-exporter: No such option")
    assert len(errors.splitlines()) == 1
    code, _, errors = await finished("run", **account("http://127.0.0.1:1", COLLECT__STALE_AFTER="soon"))
    assert code == 2
    assert errors.startswith("gigas-exporter: collect.stale_after (GIGAS_EXPORTER_COLLECT__STALE_AFTER): ")


async def test_a_port_in_use_is_one_line_and_a_failure() -> None:
    async with provider() as simulated:
        port = int(simulated.url.rpartition(":")[2])
        code, _, errors = await finished("run", **account(simulated.url, port))
        assert code == 1
        assert errors == f"gigas-exporter: cannot listen on 127.0.0.1:{port}: address already in use\n"


async def up(port: int, wanted: float) -> bool:
    status, text = await get(f"http://127.0.0.1:{port}/metrics")
    return status == 200 and Page.of(text).value("gigas_up", account="production") == wanted


async def stopped(run: Process) -> None:
    """SIGTERM ends it cleanly within five seconds, and no line was a traceback or held a secret."""
    run.signal(signal.SIGTERM)
    assert await run.ended(within_s=5) == 0
    assert "Traceback" not in run.log()
    assert "demo-key" not in run.log()


async def test_a_refused_key_is_said_once_and_a_new_one_in_its_file_heals_at_once(tmp_path: Path) -> None:
    key, port = tmp_path / "key", free_port()
    key.write_text("not-the-demo-key\n")
    async with provider() as simulated:
        variables = account(simulated.url, port, ACCOUNTS__0__API_KEY_FILE=str(key))
        async with exporter("run", **variables) as run:
            await answers(f"http://127.0.0.1:{port}/-/ready", alive=[run])
            assert await up(port, 0)
            await eventually(lambda: said(run, "collection failed"))
            before = (await simulated.requests())["endpoints"]["virtual_machines"]
            assert before == 1  # a refused credential is not hammered
            key.write_text("demo-key\n")
            await eventually(lambda: up(port, 1), within_s=10)
            assert run.log().count('msg="collection failed"') <= 3  # inventory, cpu, traffic: once each
            assert 'msg="collection works again"' in run.log()
            await stopped(run)


async def said(run: Process, phrase: str) -> bool:
    return phrase in run.log()


async def test_an_unreachable_provider_is_waited_for() -> None:
    port, provider_port = free_port(), free_port()
    async with exporter("run", **account(f"http://127.0.0.1:{provider_port}", port)) as run:
        await answers(f"http://127.0.0.1:{port}/-/healthy", alive=[run])
        await answers(f"http://127.0.0.1:{port}/-/ready", within_s=60, alive=[run])
        assert await up(port, 0)
        simulator = exporter("simulate", "--listen-address", f"127.0.0.1:{provider_port}", "--step", "1s")
        async with simulator:
            await eventually(lambda: up(port, 1), within_s=60)
        await stopped(run)


async def test_an_account_that_does_not_exist_is_said_and_served() -> None:
    port = free_port()
    async with provider() as simulated:
        variables = account(simulated.url, port, ACCOUNTS__0__API_KEY="demo-key", ACCOUNTS__0__ID="404")
        async with exporter("run", **variables) as run:
            await answers(f"http://127.0.0.1:{port}/-/ready", alive=[run])
            assert await up(port, 0)
            await eventually(lambda: said(run, "HTTP 404"))
            await stopped(run)


async def test_sigint_and_sigterm_stop_cleanly() -> None:
    async with provider() as simulated:
        for number in (signal.SIGINT, signal.SIGTERM):
            port = free_port()
            async with exporter("run", **account(simulated.url, port)) as run:
                await answers(f"http://127.0.0.1:{port}/-/ready", alive=[run])
                run.signal(number)
                assert await run.ended(within_s=5) == 0
                assert "msg=stopped" in run.log()


async def test_a_provider_that_hangs_does_not_hold_up_the_end() -> None:
    port = free_port()
    async with (
        provider(faults="[{kind: hang, seconds: 60}]") as simulated,
        exporter("run", **account(simulated.url, port)) as run,
    ):
        await answers(f"http://127.0.0.1:{port}/-/healthy", alive=[run])
        await eventually(lambda: asked(simulated))
        run.signal(signal.SIGTERM)
        assert await run.ended(within_s=5) == 0


async def asked(simulated: Provider) -> bool:
    return bool((await simulated.requests())["endpoints"])


async def test_sighup_applies_what_changed_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    file, port = tmp_path / "exporter.yml", free_port()
    async with provider(accounts=("17893", "17894")) as simulated:
        base = f"api: {{url: '{simulated.url}'}}\nweb: {{listen_address: '127.0.0.1:{port}'}}\n"
        one = "accounts:\n- {id: 17893, name: production, api_key: demo-key}\n"
        file.write_text(base + one)
        async with exporter("run", "--config.file", file) as run:
            await answers(f"http://127.0.0.1:{port}/-/ready", alive=[run])

            file.write_text("accounts: [")
            run.signal(signal.SIGHUP)
            await eventually(lambda: reloaded(port, 0))
            assert 'msg="configuration refused"' in run.log()
            assert await up(port, 1)

            file.write_text(base + one + "- {id: 17894, name: test, api_key: demo-key}\n")
            run.signal(signal.SIGHUP)
            await eventually(lambda: reloaded(port, 1))

            async def both() -> bool:
                _, text = await get(f"http://127.0.0.1:{port}/metrics")
                return {labels["account"] for labels, _ in Page.of(text).each("gigas_up")} == {"production", "test"}

            await eventually(both)
            await stopped(run)


async def reloaded(port: int, wanted: float) -> bool:
    _, text = await get(f"http://127.0.0.1:{port}/metrics")
    return Page.of(text).value("gigas_exporter_config_last_reload_successful") == wanted


async def test_check_says_what_it_found() -> None:
    async with provider() as simulated:
        code, output, errors = await finished("check", **account(simulated.url))
        assert (code, errors) == (0, "")
        assert "account production: 14 VM(s): 1 offline, 11 online, 1 recovery, 1 unbuilt" in output
        assert "12 CPU chunk(s) of 1 s" in output
        code, _, errors = await finished("check", **account(simulated.url, ACCOUNTS__0__API_KEY="wrong"))
        assert code == 1
        assert errors.startswith("gigas-exporter: account production: ")
        assert len(errors.splitlines()) == 1
        several = account(simulated.url) | {
            "GIGAS_EXPORTER_ACCOUNTS__0__FILTERS": '{"status": ["offline", "recovery"]}'
        }
        code, output, _ = await finished("check", **several)
        assert code == 0
        assert "account production: 2 VM(s): 1 offline, 1 recovery" in output


async def test_once_writes_a_page_and_fails_if_an_account_does(tmp_path: Path) -> None:
    output = tmp_path / "gigas.prom"
    # To know the provider's clock takes some answers: its `Date` tells whole seconds.
    async with provider(step_s=5.0) as simulated:
        one = account(simulated.url)
        two = one | {"GIGAS_EXPORTER_ACCOUNTS__1__ID": "404", "GIGAS_EXPORTER_ACCOUNTS__1__API_KEY": "demo-key"}
        code, text, errors = await finished("once", **one)
        assert (code, errors) == (0, "")
        assert len(list(Page.of(text).each("gigas_vm_cpu_usage_ratio"))) > 5
        code, text, errors = await finished("once", "--output", output, **two)
        assert (code, text) == (1, "")
        assert "404" in errors
        page = Page.of(output.read_text())
        assert page.value("gigas_up", account="production") == 1
        assert page.value("gigas_up", account="404") == 0


async def test_what_comes_later_says_so() -> None:
    code, _, errors = await finished("backfill")
    assert code == 1
    assert "not available yet" in errors


@pytest.mark.parametrize("step", ["1s", "2s", "7s", "1h"])
async def test_the_demonstration_has_metrics_within_fifteen_seconds_and_ends_with_ctrl_c(step: str) -> None:
    port = free_port()
    async with exporter("demo", "--web.listen-address", f"127.0.0.1:{port}", "--step", step) as run:
        await answers(f"http://127.0.0.1:{port}/", within_s=15, alive=[run])

        async def full() -> bool:
            _, text = await get(f"http://127.0.0.1:{port}/metrics")
            page = Page.of(text)
            return len(list(page.each("gigas_vm_info"))) == 25 and len(list(page.each("gigas_vm_cpu_usage_ratio"))) > 20

        await eventually(full, within_s=15)
        assert f"Open http://127.0.0.1:{port}/ " in run.output.decode()
        run.signal(signal.SIGINT)
        run.signal(signal.SIGINT)  # whoever is impatient gets no traceback for it
        assert await run.ended(within_s=5) == 0
        assert "Traceback" not in run.log()


async def test_what_cannot_be_started_says_so_in_a_line(tmp_path: Path) -> None:
    faults = tmp_path / "faults.yml"
    faults.write_text("- kind: nothing-known\n")
    async with provider() as simulated:
        port = simulated.url.rpartition(":")[2]
        for command, code, line in (
            (("demo", "--web.listen-address", f"127.0.0.1:{port}"), 1, "address already in use"),
            (("demo", "--step", "0s"), 2, "Invalid value for '--step'"),
            (("simulate", "--listen-address", f"127.0.0.1:{port}"), 1, f"127.0.0.1:{port}: address already in use"),
            (("simulate", "--listen-address", "[::1]:999999"), 2, "Invalid value for '--listen-address'"),
            (("simulate", "--faults", str(faults)), 2, f"'--faults': {faults}: faults.0.kind: no such kind"),
            (("simulate", "--faults", str(tmp_path)), 2, f"'--faults': cannot read {tmp_path}: Is a directory"),
        ):
            ended, output, errors = await finished(*command)
            assert (ended, output) == (code, ""), errors
            assert errors.startswith("gigas-exporter: ")
            assert line in errors
            assert len(errors.splitlines()) == 1


async def test_an_address_of_ipv6_is_shown_as_a_browser_takes_it() -> None:
    port = free_port()
    async with exporter("simulate", "--listen-address", f"[::1]:{port}") as run:
        await answers(f"http://[::1]:{port}/", alive=[run])
        assert f"http://[::1]:{port}/ " in run.output.decode()


async def test_a_stop_right_after_the_start_is_clean() -> None:
    async with provider() as simulated:
        for number in (signal.SIGTERM, signal.SIGINT):
            async with exporter("run", **account(simulated.url, free_port())) as run:
                await eventually(partial(said, run, "msg=listening"), every_s=0.001)
                run.signal(number)
                assert await run.ended(within_s=5) == 0
                assert "Traceback" not in run.log()


async def test_promtool_finds_nothing_to_mend(tmp_path: Path) -> None:
    promtool, port = tool("promtool", "prometheus"), free_port()
    async with provider() as simulated, exporter("run", **account(simulated.url, port)) as run:
        await answers(f"http://127.0.0.1:{port}/-/ready", alive=[run])
        page = await answers(f"http://127.0.0.1:{port}/metrics", alive=[run])
    (tmp_path / "page").write_text(page)
    checking = await asyncio.create_subprocess_shell(
        f"{promtool} check metrics < {tmp_path / 'page'}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await checking.communicate()
    assert (checking.returncode, told.decode()) == (0, "")


async def test_curl_reads_a_compressed_page_whole() -> None:
    curl, port = tool("curl", "curl"), free_port()
    async with provider() as simulated, exporter("run", **account(simulated.url, port)) as run:
        address = f"http://127.0.0.1:{port}/metrics"
        await answers(f"http://127.0.0.1:{port}/-/ready", alive=[run])
        async with process(curl, "--silent", "--show-error", "--fail", "--compressed", address) as reading:
            assert await reading.ended() == 0
        assert Page.of(reading.output.decode()).value("gigas_up", account="production") == 1

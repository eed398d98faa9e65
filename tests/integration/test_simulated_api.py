"""The simulated API over real sockets: the provider's page, its troubles, and the simulation's own addresses."""

import asyncio
import email.utils
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.simulator import FAULTS, SimulatorOptions, load_faults, serve
from tests.running import provider
from tests.unit.simulator.made import START
from tests.unit.simulator.served import KEY, LIST, LOGIN, HandClock, api, struck, vm_path
from tests.unit.simulator.strikes import STRUCK
from tests.waiting import eventually

EXAMPLES = Path(__file__).parents[1] / "fixtures" / "gigas"


def example(name: str) -> Any:
    return json.loads((EXAMPLES / f"{name}.json").read_text())


# The page


async def test_a_listed_vm_has_the_fields_of_the_pages_example_in_their_types() -> None:
    documented = example("virtual_machine")
    documented.pop("queue_token", None)
    async with api() as simulated:
        listed = await simulated.get(LIST)
        assert len(listed) == 14
        for vm in listed:
            assert set(vm) == set(documented)
            for name, told in documented.items():
                if told is not None and vm[name] is not None:
                    assert type(vm[name]) is type(told), name
        assert all(vm["initial_password"] for vm in listed)
        assert any(vm["remote_access_password"] for vm in listed)
        assert await simulated.get(vm_path(listed[0]["id"])) == listed[0]


async def test_statistics_have_the_shape_of_the_pages_examples() -> None:
    async with api() as simulated:
        web_vm = await simulated.vm_id("web")
        cpu = await simulated.get(vm_path(web_vm, "/cpu_stats?period=-1H"))
        assert set(cpu) == set(example("cpu_stats"))
        assert cpu["machine_id"] == int(web_vm)
        traffic = await simulated.get(vm_path(web_vm, "/bw_stats?period=-1H"))
        documented = example("bw_stats")
        assert set(traffic) == set(documented)
        (told,), (shown,) = traffic["traffic"][0], documented["traffic"][0]
        assert set(told) == set(shown)
        assert list(told["data"]) == [str(number) for number in range(len(told["data"]))]
        assert set(told["data"]["0"]) == set(shown["data"]["0"])


@pytest.mark.parametrize("period", ["", "?period=", "?period=-1week", "?period=-1day"])
async def test_a_period_that_the_page_does_not_know_is_refused(period: str) -> None:
    async with api() as simulated:
        assert await simulated.status("GET", vm_path(await simulated.vm_id("web"), f"/cpu_stats{period}")) == 400


async def test_every_list_answers_whole_and_in_pages() -> None:
    async with api() as simulated:
        vm_id = await simulated.vm_id("database")
        lists = ("disks", "network_interfaces", "ip_addresses", "backups", "firewall_rules", "isos", "snapshots")
        paths = [vm_path(vm_id, f"/{name}") for name in (*lists, "segregations")]
        paths += [f"/account/17893/{name}" for name in ("disks", "backups", "networks", "ip_addresses")]
        for path in paths:
            whole = await simulated.get(path)
            assert isinstance(whole, list)
            async with simulated.ask("GET", f"{path}?limit=1&offset=1") as response:
                assert response.headers["X-Total"] == str(len(whole)), path
                assert await response.json() == whole[1:2]
        assert len(await simulated.get("/account/17893/disks")) == 14
        assert "remote_key" in await simulated.get(vm_path(vm_id, "/remote_console"))


async def test_a_limit_above_the_cap_is_capped_and_no_limit_is_everything() -> None:
    async with api(vms=30, page_cap=20) as simulated:
        async with simulated.ask("GET", "/account/17893/virtual_machines?limit=25") as response:
            assert len(await response.json()) == 20
            told = [response.headers[name] for name in ("X-Page", "X-Per-Page", "X-Total", "X-Total-Pages")]
            assert told == ["1", "20", "30", "2"]
        assert len(await simulated.get(LIST)) == 30
        assert await simulated.status("GET", "/account/17893/virtual_machines?limit=none") == 400


async def test_what_is_not_there_is_not_found() -> None:
    async with api() as simulated:
        for path in (
            "/account/1/virtual_machines",
            vm_path("24"),
            vm_path("24", "/cpu_stats?period=-1H"),
            "/account/17893/x",
        ):
            assert await simulated.status("GET", path) == 404


async def test_the_date_is_the_providers_clock() -> None:
    async with api(skew_s=3_600.0) as simulated:
        for path in (LIST, "/account/17893/nothing"):
            async with simulated.ask("GET", path) as response:
                assert email.utils.parsedate_to_datetime(response.headers["Date"]).timestamp() == START + 3_600


async def test_accounts_are_apart() -> None:
    async with api(accounts=("1", "2"), vms=3) as simulated:
        ids = [[vm["id"] for vm in await simulated.get(f"/account/{each}/virtual_machines")] for each in "12"]
        assert not set(ids[0]) & set(ids[1])
        assert await simulated.status("GET", f"/account/1/virtual_machine/{ids[1][0]}") == 404


# Who asks


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "demo-key", "Basic ZGVtbzpkZW1v"])
async def test_nobody_passes_without_a_good_credential(header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    async with api() as simulated:
        assert await simulated.status("GET", LIST, headers=headers) == 401
        assert await simulated.status("GET", "/account/17893/no_such_thing", headers=headers) == 401


async def test_a_session_token_is_good_until_it_expires_and_readonly_changes_nothing() -> None:
    async with api(token_lifetime_s=60.0) as simulated:
        async with simulated.ask("POST", "/token", json=LOGIN, headers={}) as response:
            told = await response.json()
        assert set(told) == {"token", "expires", "refresh_token", "refresh_expires"}
        assert told["expires"] == START + 60
        bare, bearer = ({"Authorization": f"{kind}{told['token']}"} for kind in ("", "Bearer "))
        assert await simulated.status("GET", LIST, headers=bare) == 200
        assert await simulated.status("GET", LIST, headers=bearer) == 401
        assert await simulated.status("POST", vm_path("24", "/reboot"), headers=bare) == 403
        simulated.clock.now_s += 60
        assert await simulated.status("GET", LIST, headers=bare) == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (json.dumps(LOGIN | {"password": "wrong"}), 401),
        (json.dumps({"login": "demo"}), 400),
        ("[]", 400),
        ("not json", 400),
    ],
)
async def test_a_wrong_login_gets_no_token(body: str, status: int) -> None:
    async with api() as simulated:
        assert await simulated.status("POST", "/token", data=body, headers={}) == status


async def test_an_openid_token_passes_as_bearer() -> None:
    async with api() as simulated:
        form = {"grant_type": "password", "client_id": "external", "username": "demo", "password": "demo-password"}
        async with simulated.ask("POST", "/auth/api/openid-connect/token", data=form, headers={}) as response:
            told = await response.json()
        bearer = {"Authorization": f"Bearer {told['access_token']}"}
        assert await simulated.status("GET", LIST, headers=bearer) == 200


# What a person may do


async def test_the_pages_curl_example_changes_a_vm_and_locks_it_for_a_while() -> None:
    async with api(lock_s=30.0) as simulated:
        vm_id = await simulated.vm_id("web")
        # curl -d sends a form's type unless it is told otherwise.
        typed = KEY | {"Content-Type": "application/x-www-form-urlencoded"}
        async with simulated.ask("PUT", vm_path(vm_id), data='{"label": "NewLabel"}', headers=typed) as response:
            assert response.status == 202
            assert (await response.json())["queue_token"]
        vm = await simulated.get(vm_path(vm_id))
        assert (vm["label"], vm["locked"]) == ("NewLabel", 1)
        simulated.clock.now_s += 30
        assert (await simulated.get(vm_path(vm_id)))["locked"] == 0


async def test_a_vm_can_be_made_and_destroyed() -> None:
    async with api(lock_s=30.0) as simulated:
        new = {"memory": "128", "cpus": "1", "label": "pruebaApi", "hostname": "pruebaApi", "primary_disk_size": "5"}
        async with simulated.ask("POST", "/account/17893/virtual_machine", json=new) as response:
            made = await response.json()
            assert (response.status, made["status"], made["locked"]) == (202, "unbuilt", 1)
        assert set(made) == set(example("virtual_machine")) | {"queue_token"}
        simulated.clock.now_s += 30
        assert (await simulated.get(vm_path(made["id"])))["status"] == "online"
        assert await simulated.status("DELETE", vm_path(made["id"])) == 202
        assert (await simulated.get(vm_path(made["id"])))["locked"] == 1
        simulated.clock.now_s += 30
        assert await simulated.status("GET", vm_path(made["id"])) == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "has_token"),
    [
        ("POST", "/reboot", 202, True),
        ("POST", "/reset_password", 202, True),
        ("POST", "/rebuild_network", 202, True),
        ("POST", "/apply_firewall_rules", 202, True),
        ("POST", "/template", 202, True),
        ("POST", "/iso", 200, True),
        ("DELETE", "/iso/100", 200, True),
        ("POST", "/apply_disks", 200, False),
        ("DELETE", "/snapshots", 200, False),
    ],
)
async def test_an_operation_answers_as_documented_and_locks_if_it_is_queued(
    method: str, path: str, status: int, *, has_token: bool
) -> None:
    async with api() as simulated:
        vm_id = await simulated.vm_id("web")
        async with simulated.ask(method, vm_path(vm_id, path)) as response:
            assert response.status == status
            assert ("queue_token" in await response.text()) == has_token
        assert (await simulated.get(vm_path(vm_id)))["locked"] == has_token


async def test_an_interface_can_be_added_but_no_second_public_one() -> None:
    async with api() as simulated:
        for kind, status in (("web", 202), ("offline", 201)):
            path = vm_path(await simulated.vm_id(kind), "/network_interface")
            assert await simulated.status("POST", path, json={"network_id": "710"}) == status
            assert await simulated.status("POST", path, json={"network_id": "1"}) == 412


async def test_segregations_are_kept() -> None:
    async with api() as simulated:
        vm_id = await simulated.vm_id("web")
        assert await simulated.status("PUT", vm_path(vm_id, "/segregation/24")) == 200
        assert await simulated.get(vm_path(vm_id, "/segregations")) == [{"virtual_machine_id": 24}]
        assert await simulated.status("DELETE", vm_path(vm_id, "/segregation/24")) == 200
        assert await simulated.get(vm_path(vm_id, "/segregations")) == []


@pytest.mark.parametrize("body", ["nonsense", "[1]", '{"memory": "much"}'])
async def test_an_operation_that_cannot_be_understood_is_refused(body: str) -> None:
    async with api() as simulated:
        vm_id = await simulated.vm_id("web")
        assert await simulated.status("PUT", vm_path(vm_id), data=body) == 400
        assert (await simulated.get(vm_path(vm_id)))["locked"] == 0


# The truth, and steering


async def test_statistics_are_what_is_said_to_be_published() -> None:
    async with api() as simulated:
        vm_id = await simulated.vm_id("web")
        published = (await simulated.get(f"/truth/published?vm={vm_id}"))["accounts"]["17893"]["vms"]
        assert list(published) == [vm_id]
        told = await simulated.get(vm_path(vm_id, "/bw_stats?period=-1H"))
        for (interface,) in told["traffic"]:
            truth = published[vm_id]["interfaces"][str(interface["interface_id"])]["traffic"]
            for key, bucket in interface["data"].items():
                end = str(told["date_from"] + 10 * (int(key) + 1))
                assert [bucket["traffic_in"], bucket["traffic_out"]] == truth.get(end, [0, 0])


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", "/simulator/vms/24", "{}", 404),
        ("DELETE", "/simulator/vms/24", "", 404),
        ("PATCH", "/simulator/vms/178931011500", '{"colour": 1}', 400),
        ("PATCH", "/simulator/vms/178931011500", "nonsense", 400),
        ("POST", "/simulator/vms?account=1", "", 404),
        ("POST", "/simulator/vms", '{"cpu": "full"}', 400),
        ("PUT", "/simulator/faults", "- kind: earthquake", 400),
        ("PUT", "/simulator/api_keys", '"key"', 400),
        ("PUT", "/simulator/api_keys", "nonsense", 400),
        ("GET", "/truth?since=yesterday", "", 400),
        ("GET", "/truth?since=nan", "", 400),
    ],
)
async def test_steering_that_cannot_be_meant_is_refused(method: str, path: str, body: str, status: int) -> None:
    async with api() as simulated:
        assert await simulated.status(method, path, data=body) == status
        assert len(await simulated.get(LIST)) == 14


async def test_a_vm_comes_and_goes_at_once() -> None:
    async with api() as simulated:
        async with simulated.ask("POST", "/simulator/vms", json={"label": "late"}) as response:
            added = (await response.json())["id"]
        assert (await simulated.get(vm_path(added)))["label"] == "late"
        assert await simulated.status("DELETE", f"/simulator/vms/{added}") == 204
        assert await simulated.status("GET", vm_path(added)) == 404


async def test_keys_can_be_taken_away_and_sessions_ended() -> None:
    async with api() as simulated:
        async with simulated.ask("POST", "/token", json=LOGIN, headers={}) as response:
            session = {"Authorization": (await response.json())["token"]}
        assert await simulated.status("DELETE", "/simulator/tokens") == 204
        assert await simulated.status("PUT", "/simulator/api_keys", json=["other"]) == 204
        for headers, status in ((session, 401), (KEY, 401), ({"Authorization": "Bearer other"}, 200)):
            assert await simulated.status("GET", LIST, headers=headers) == status


async def test_requests_are_counted_by_endpoint_and_vm() -> None:
    async with api() as simulated:
        vm_id = await simulated.vm_id("web")
        for path in ("/cpu_stats?period=-1H", "/cpu_stats?period=-1H", ""):
            await simulated.get(vm_path(vm_id, path))
        await simulated.get("/truth")
        told = await simulated.get("/simulator/requests")
        assert told["endpoints"] == {"virtual_machines": 1, "cpu_stats": 2, "virtual_machine": 1}
        assert told["vms"] == {f"cpu_stats {vm_id}": 2, f"virtual_machine {vm_id}": 1}


async def test_the_landing_page_shows_curl_examples_with_this_address() -> None:
    async with api() as simulated, simulated.ask("GET", "/", headers={}) as response:
        text = await response.text()
        assert response.content_type == "text/plain"
        assert f'curl -H "Authorization: Bearer demo-key" \'{simulated.url}/account/17893/virtual_machines' in text


# Faults: each kind, struck


def test_every_kind_of_fault_is_tried() -> None:
    assert set(STRUCK) == set(FAULTS)


@pytest.mark.parametrize("kind", STRUCK)
async def test_a_fault_does_what_its_kind_says(kind: str) -> None:
    async with api(faults=f"- kind: {kind}") as simulated:
        await STRUCK[kind](simulated)


async def test_a_fault_strikes_where_and_when_it_says_and_can_be_cleared() -> None:
    async with api(faults="- {kind: status, status: 429, endpoint: cpu_stats, since: 60, retry_after: 7}") as simulated:
        vm_id = await simulated.vm_id("web")
        cpu, traffic = (vm_path(vm_id, f"/{name}?period=-1H") for name in ("cpu_stats", "bw_stats"))
        assert await simulated.status("GET", cpu) == 200
        simulated.clock.now_s += 60
        response, _ = await struck(simulated, cpu)
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
        assert await simulated.status("GET", traffic) == 200
        assert await simulated.status("PUT", "/simulator/faults", data="[]") == 204
        assert await simulated.status("GET", cpu) == 200


async def test_a_date_to_retry_after_is_of_the_providers_clock() -> None:
    async with api(skew_s=500.0, faults="- {kind: status, retry_after: 'date:30'}") as simulated:
        response, _ = await struck(simulated)
        assert email.utils.parsedate_to_datetime(response.headers["Retry-After"]).timestamp() == START + 530


@pytest.mark.parametrize("kind", ["token_revoked", "slow", "truncate", "garbage_values", "huge"])
async def test_a_fault_does_not_open_what_a_credential_closes(kind: str) -> None:
    async with api(faults=f"- kind: {kind}") as simulated:
        response, _ = await struck(simulated, headers={})
        assert response.status == 401


# The server


async def test_the_server_frees_its_port_when_it_ends_even_while_a_request_hangs() -> None:
    class Stuck(HandClock):
        async def sleep(self, delay_s: float) -> None:
            self.slept_s.append(delay_s)
            await never.wait()

    never, clock = asyncio.Event(), Stuck()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        async with serve(SimulatorOptions(), clock=clock, faults=load_faults("- kind: hang")) as url:

            async def ask() -> None:
                with pytest.raises(aiohttp.ClientError):
                    await session.get(f"{url}/account/17893/virtual_machines")

            group.create_task(ask())

            async def asked() -> bool:
                return bool(clock.slept_s)

            await eventually(asked)
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url)


@pytest.mark.parametrize("long", ["bw_stats?period=-1M", "bw_stats?period=-1Y", "cpu_stats?period=-30days"])
async def test_others_are_answered_while_a_long_period_is_worked_out(long: str) -> None:
    async with provider() as simulated, asyncio.TaskGroup() as group:
        first, second, *_ = await simulated.vms()

        async def ask(vm_id: str, statistics: str) -> None:
            path = simulated.url + vm_path(vm_id, f"/{statistics}")
            async with simulated.session.get(path, headers=KEY) as response:
                assert response.status == 200

        working = group.create_task(ask(first, long))
        answered = 0
        while not working.done():
            await ask(second, "cpu_stats?period=-1H")
            answered += 1
        assert answered > 2, answered


async def test_a_port_in_use_is_an_error_of_the_system() -> None:
    async with api() as simulated:
        port = int(simulated.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            async with serve(SimulatorOptions(), clock=HandClock(), port=port):
                pass

"""Who may ask the simulation, and from where."""

import pytest

from exporter.simulator.access import Access
from exporter.simulator.control import is_here
from exporter.simulator.options import SimulatorOptions
from tests.unit.simulator.made import START
from tests.unit.simulator.served import LOGIN

FORM = {"grant_type": "password", "client_id": "external", "username": "demo", "password": "demo-password"}


def access() -> Access:
    return Access(SimulatorOptions(token_lifetime_s=60.0))


def test_an_api_key_is_good_until_it_is_taken_away() -> None:
    gate = access()
    assert gate.problem("Bearer demo-key", "PUT", START) is None
    gate.api_keys = {"other"}
    assert gate.problem("Bearer demo-key", "GET", START) == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "demo-key", "Bearer  demo-key", "bearer demo-key"])
def test_anything_else_is_refused(header: str) -> None:
    assert access().problem(header, "GET", START) == 401


@pytest.mark.parametrize(("readonly", "problem"), [(True, 403), (False, None)])
def test_a_readonly_session_changes_nothing(readonly: bool, problem: int | None) -> None:
    gate = access()
    _, told = gate.token(LOGIN | {"readonly": readonly}, START)
    assert gate.problem(told["token"], "GET", START) is None
    assert gate.problem(told["token"], "DELETE", START) == problem


def test_a_session_ends_when_it_was_told_or_when_it_is_revoked() -> None:
    gate = access()
    _, told = gate.token(LOGIN, START)
    assert told["expires"] == START + 60
    assert gate.problem(told["token"], "GET", START + 59) is None
    assert gate.problem(told["token"], "GET", START + 60) == 401
    gate.revoke_tokens()
    assert gate.problem(told["token"], "GET", START) == 401


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"login": "demo", "password": "wrong"}, 401),
        ({"login": "demo"}, 400),
        ({"login": ["demo"], "password": 1}, 401),
    ],
)
def test_a_wrong_login_gets_no_token(asked: dict[str, object], status: int) -> None:
    assert access().token(asked, START)[0] == status


def test_a_refresh_token_gives_a_new_token_once() -> None:
    gate = access()
    status, told = gate.openid(FORM, START)
    assert (status, told["token_type"], told["expires_in"]) == (200, "Bearer", 60)
    assert gate.problem(f"Bearer {told['access_token']}", "GET", START + 60) == 401
    refresh = {"grant_type": "refresh_token", "client_id": "external", "refresh_token": told["refresh_token"]}
    status, new = gate.openid(refresh, START + 60)
    assert gate.problem(f"Bearer {new['access_token']}", "GET", START + 60) is None
    assert gate.openid(refresh, START + 60)[0] == 401


@pytest.mark.parametrize(
    "change",
    [{"password": "wrong"}, {"client_id": "internal"}, {"grant_type": "refresh_token"}, {"grant_type": "code"}],
)
def test_a_wrong_grant_gets_no_token(change: dict[str, str]) -> None:
    assert access().openid(FORM | change, START)[0] == 401


@pytest.mark.parametrize(
    ("remote", "here"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", True),
        (None, True),
        ("203.0.113.7", False),
        ("2001:db8::1", False),
        ("::ffff:203.0.113.7", False),
    ],
)
def test_the_simulations_own_addresses_answer_to_this_machine_only(remote: str | None, here: bool) -> None:
    assert is_here(remote) == here

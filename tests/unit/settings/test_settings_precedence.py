"""A flag counts before a variable, a variable before the file, the file before the default; lines say who said it."""

from pathlib import Path
from typing import Any

import pytest

from exporter.settings import FLAGS, documented
from tests.unit.settings.configured import ACCOUNT, ACCOUNT_VARIABLES, SECRET, loaded, mistakes

VALUES: dict[str, tuple[Any, str, Any]] = {  # in the file, in the variable, as the flag
    "api.url": ("http://one", "http://two", "http://three"),
    "api.timeout": ("1s", "2s", "3s"),
    "api.page_size": (1, "2", "3"),
    "api.max_concurrency": (1, "2", "3"),
    "api.requests_per_second": (1, "2.5", "3"),
    "api.timezone": ("Europe/Madrid", "America/Bogota", "Europe/Paris"),
    "api.memory_unit": ("MB", "MiB", "MB"),
    "collect.inventory.interval": ("1s", "2m", "3m"),
    "collect.cpu.interval": ("1s", "2m", "3m"),
    "collect.cpu.every_buckets": (2, "1", "3"),
    "collect.cpu.percent_of": ("core", "vm", "core"),
    "collect.traffic.interval": ("1s", "2m", "3m"),
    "collect.traffic.every_buckets": (2, "1", "3"),
    "collect.traffic.unit": ("bytes_per_second", "bytes", "bytes_per_second"),
    "collect.stale_after": ("1m", "2m", "3m"),
    "state.path": ("/one", "/two", "/three"),
    "state.wait": ("true", "false", True),
    "state.start_anew": ("true", "false", True),
    "web.listen_address": ('[":1", ":11"]', '[":2"]', (":3", ":33")),
    "web.telemetry_path": ("/one", "/two", "/three"),
    "web.enable_lifecycle": ("on", "0", True),
    "log.level": ("debug", "warn", "error"),
    "log.format": ("json", "logfmt", "json"),
    "shard.index": (1, "2", "3"),
    "shard.total": (2, "3", "4"),
}
REFUSED = {"web.config_file"}


def in_file(key: str, value: object) -> str:
    """A document with this one setting and what it needs."""
    *sections, last = key.split(".")
    text = f"{last}: {value}"
    if sections == ["shard"]:
        text += ", total: 9" if last == "index" else ", index: 0"
    for section in reversed(sections):
        text = f"{section}: {{{text}}}"
    return ACCOUNT + text


def variable(key: str) -> str:
    return key.upper().replace(".", "__")


def test_the_table_has_every_setting() -> None:
    assert VALUES.keys() | REFUSED == {row.key for row in FLAGS.values()}


@pytest.mark.parametrize("key", VALUES)
def test_the_stronger_source_counts(tmp_path: Path, key: str) -> None:
    file = tmp_path / "c.yml"
    told, in_variable, flag = VALUES[key]
    by_file = loaded(file, in_file(key, told))
    by_variable = loaded(file, in_file(key, in_variable))
    by_flag = loaded(file, in_file(key, list(flag) if isinstance(flag, tuple) else flag))
    if key != "shard.total":
        assert by_file != loaded(file, ACCOUNT)
    assert by_variable not in (by_file, by_flag)
    file.write_text(in_file(key, told))
    assert loaded(file, **{variable(key): in_variable}) == by_variable
    assert loaded(file, flags={key: flag}) == by_flag
    assert loaded(file, flags={key: flag}, **{variable(key): in_variable}) == by_flag


@pytest.mark.parametrize("key", sorted(VALUES.keys() - {"state.path"}))
def test_a_wrong_value_is_said_of_the_source_that_counts(tmp_path: Path, key: str) -> None:
    file, wrong = tmp_path / "c.yml", "?"

    def said(**sources: Any) -> str:
        (line,) = mistakes(file, in_file(key, f"'{wrong}'"), **sources)
        setting, _, source = line.partition(": ")[0].partition(" (")
        assert setting in {key, f"{key}.0"}
        return source.removesuffix(")")

    assert said() == "FILE:2"
    assert said(**{variable(key): wrong}) == f"GIGAS_EXPORTER_{variable(key)}"
    assert said(**{variable(key): wrong}, flags={key: wrong}) == f"--{key.replace('_', '-')}"


def test_each_part_of_a_file_has_its_own_line(tmp_path: Path) -> None:
    assert mistakes(tmp_path / "c.yml", ACCOUNT + "web:\n  listen_address:\n    - :1\n    - x\n")[0].startswith(
        "web.listen_address.1 (FILE:5): "
    )


def test_a_value_that_a_stronger_source_replaced_is_not_blamed_any_more(tmp_path: Path) -> None:
    text = ACCOUNT + "web: {listen_address: [':1', ':2']}"
    lines = mistakes(tmp_path / "c.yml", text, flags={"web.listen_address": (":1", "x")})
    assert lines[0].startswith("web.listen_address.1 (--web.listen-address): ")


def test_an_account_of_variables_is_laid_over_that_of_the_file(tmp_path: Path) -> None:
    text = "accounts: [{id: 1, name: one, api_key: a-key}, {id: 2, api_key: b-key}]"
    settings = loaded(tmp_path / "c.yml", text, ACCOUNTS__1__NAME="two", ACCOUNTS__2='{"id": 3, "api_key": "c-key"}')
    told = [(account.id, account.name, account.secret().read()) for account in settings.accounts]
    assert told == [("1", "one", "a-key"), ("2", "two", "b-key"), ("3", "3", "c-key")]


def test_a_whole_list_of_accounts_replaces_that_of_the_file(tmp_path: Path) -> None:
    text = "accounts: [{id: 1, name: one, api_key: a-key}, {id: 2, api_key: b-key}]"
    settings = loaded(tmp_path / "c.yml", text, ACCOUNTS='[{"id": 3, "api_key": "c-key"}]', ACCOUNTS__0__NAME="three")
    assert [(account.id, account.name) for account in settings.accounts] == [("3", "three")]


@pytest.mark.parametrize(
    "secret", [f"api_key: {SECRET}", "api_key_file: /nonexistent"], ids=["given in the file", "in a file"]
)
def test_a_secret_of_a_variable_replaces_that_of_the_file_in_whichever_way_it_is_given(
    tmp_path: Path, secret: str
) -> None:
    key, text = tmp_path / "key", f"accounts: [{{id: 1, {secret}}}]"
    key.write_text("another-key\n")
    by_file = loaded(tmp_path / "c.yml", text, ACCOUNTS__0__API_KEY_FILE=str(key))
    by_text = loaded(tmp_path / "c.yml", text, ACCOUNTS__0__API_KEY="another-key")
    assert [each.accounts[0].secret().read() for each in (by_file, by_text)] == ["another-key"] * 2


def test_one_source_that_gives_a_secret_in_both_ways_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("a-key")
    both = ACCOUNT_VARIABLES | {"ACCOUNTS__0__API_KEY_FILE": str(key)}
    line = "accounts.0 (GIGAS_EXPORTER_ACCOUNTS__0__ID): has api_key and api_key_file; one is enough"
    assert mistakes(**both) == [line]
    assert mistakes(tmp_path / "c.yml", ACCOUNT, **both) == [line]


def test_a_mistake_of_several_values_names_one_that_was_said(tmp_path: Path) -> None:
    file, what = tmp_path / "c.yml", "has an index that is not below its total; indexes count from 0"
    assert mistakes(file, ACCOUNT, SHARD__INDEX="1") == [f"shard (GIGAS_EXPORTER_SHARD__INDEX): {what}"]
    assert mistakes(file, ACCOUNT + "shard: {index: 1, total: 2}", flags={"shard.total": "1"}) == [
        f"shard (--shard.total): {what}"
    ]


def test_the_settings_of_an_account_have_no_flag() -> None:
    assert {row.key.partition(".")[0] for row in documented() if not row.flag} == {"accounts"}

"""Whole files: what is good is taken, and of what is bad every mistake is one line.

`examples/….bad.yml` hold the lines that they lead to in comments: `#! setting (FILE:line): what is wrong`.
"""

from pathlib import Path

import pytest

from exporter.settings import Settings
from tests.unit.settings.configured import ACCOUNT, loaded, mistakes

EXAMPLES = Path(__file__).parent / "examples"


def good(name: str) -> Settings:
    return loaded(EXAMPLES / f"{name}.good.yml")


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.bad.yml")), ids=lambda file: file.name)
def test_every_mistake_is_a_line_that_says_where_it_stands(file: Path) -> None:
    expected = [line.removeprefix("#! ") for line in file.read_text().splitlines() if line.startswith("#! ")]
    assert mistakes(file) == expected


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.good.yml")), ids=lambda file: file.name)
def test_what_is_good_is_taken(file: Path) -> None:
    assert loaded(file).accounts


def test_every_setting_can_be_set() -> None:
    settings, usual = good("everything"), good("other-system")
    for section in ("api", "collect", "state", "log", "shard"):
        for name, value in getattr(settings, section):
            assert value != getattr(getattr(usual, section), name), f"{section}.{name}"
    assert settings.api.url == "https://api.madrid.gigas.com"
    assert settings.collect.traffic.interval_s == 90
    assert settings.web.listen_address == ("127.0.0.1:9877", "[::1]:9877")
    first, second = settings.accounts
    assert dict(first.filters) == {
        "status": ("online", "recovery"),
        "type": ("standard",),
        "locked": ("0",),
        "ip_address": ("10.0.0.1",),
    }
    assert dict(first.labels) == {"team": "web", "cost_center": "42"}
    assert (second.id, second.name, second.api_key_expires) == ("17894", "17894", 1_811_808_000)


def test_a_key_without_a_value_is_as_good_as_absent(tmp_path: Path) -> None:
    assert good("nothing-said") == loaded(tmp_path / "c.yml", "accounts: [{id: 17893, api_key: a-key}]")


def test_a_value_is_the_text_that_stands_there() -> None:
    settings = good("not-guessed")
    account = settings.accounts[0]
    assert (account.id, account.username, account.secret().read()) == ("0017893", "yes", "0123_4567")
    assert dict(account.labels) == {
        "release": "1.50",
        "since": "2026-07-01",
        "ratio": "1:20",
        "on": "off",
        "null": "null",
    }
    assert settings.api.page_size == 10
    assert settings.web.listen_address == ("1:20",)


def test_anchors_and_merges_work() -> None:
    first, second = good("anchors").accounts
    assert (first.id, second.id, second.secret().read()) == ("1", "2", "a-password")
    assert dict(second.labels) == {"team": "db", "stage": "test", "room": "1"}


def test_a_byte_order_mark_and_line_ends_of_another_system_are_read_over() -> None:
    assert good("other-system").accounts[0].name == "café"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (ACCOUNT.encode("utf-16"), "FILE: is not text in UTF-8, or holds characters that YAML forbids"),
        (b"accounts: \x00", "FILE: is not text in UTF-8, or holds characters that YAML forbids"),
        (b"api: " + b"[" * 5_000, "FILE: is nested too deeply"),
    ],
)
def test_what_is_no_text_or_too_deep_is_a_line(tmp_path: Path, content: bytes, line: str) -> None:
    file = tmp_path / "c.yml"
    file.write_bytes(content)
    assert mistakes(file) == [line]


def test_a_file_that_cannot_be_read_is_the_only_mistake(tmp_path: Path) -> None:
    file = tmp_path / "none.yml"
    assert mistakes(file) == ["config.file (--config.file): cannot read FILE: No such file or directory"]
    assert mistakes(CONFIG_FILE=str(file)) == [
        f"config.file (GIGAS_EXPORTER_CONFIG_FILE): cannot read {file}: No such file or directory"
    ]
    file.mkdir()
    assert mistakes(file) == ["config.file (--config.file): cannot read FILE: Is a directory"]


def test_an_empty_file_configures_nothing(tmp_path: Path) -> None:
    line = "accounts (not set): none is configured; at least an id and an api_key_file are needed"
    assert mistakes(tmp_path / "c.yml", "# nothing yet\n") == [line]
    assert mistakes() == [line]

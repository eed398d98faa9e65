"""Every setting is a flag, in Prometheus' style."""

from pathlib import Path

import click
import pytest

from exporter.cli.options import Reader, settings_options
from exporter.settings import FLAGS, ConfigurationError, Settings
from tests.unit.settings.configured import ACCOUNT

READ: list[Settings] = []


@click.command()
@click.option("--output")
@settings_options
def command(read: Reader, output: str | None) -> None:
    assert output is None
    READ.append(read())


def told(*arguments: str) -> Settings:
    command.main(list(arguments), standalone_mode=False)
    return READ.pop()


def test_flags_are_the_keys_with_dots_and_hyphens() -> None:
    assert FLAGS["--web.listen-address"].key == "web.listen_address"
    assert {flag: row.key for flag, row in FLAGS.items() if flag != "--" + row.key.replace("_", "-")} == {
        "--web.config.file": "web.config_file"
    }
    options = {name for parameter in command.params for name in parameter.opts}
    assert options == {"--config.file", "--output", *FLAGS}


def test_flags_are_read(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    file.write_text(ACCOUNT + "web: {enable_lifecycle: true}\nstate: {wait: true}")
    settings = told(
        *("--config.file", str(file), "--web.listen-address", ":1", "--web.listen-address=:2"),
        *("--log.level=debug", "--shard.index", "1", "--shard.total", "2", "--no-state.wait"),
    )
    assert settings.web.listen_address == (":1", ":2")
    assert (settings.log.level, settings.shard.index, settings.shard.total) == ("debug", 1, 2)
    assert (settings.web.enable_lifecycle, settings.state.wait) == (True, False)


def test_what_is_not_given_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    file.write_text(ACCOUNT + "web: {listen_address: ':5', telemetry_path: /m}")
    web = told("--config.file", str(file)).web
    assert (web.listen_address, web.telemetry_path) == ((":5",), "/m")


def test_all_mistakes_of_flags_are_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    file.write_text(ACCOUNT)
    with pytest.raises(ConfigurationError) as caught:
        told("--config.file", str(file), "--log.level", "loud", "--shard.index", "x", "--api.url", "")
    assert str(caught.value).split("\n") == [
        "api.url (--api.url): is not an address; write https://api.gigas.com",
        "log.level (--log.level): is none of 'debug', 'info', 'warn' or 'error'",
        "shard.index (--shard.index): is not a whole number",
    ]


def test_help_names_the_values_that_there_are() -> None:
    context = click.Context(command)
    text = " ".join(command.get_help(context).split())
    assert "--log.level [debug|info|warn|error]" in text
    assert "--web.enable-lifecycle / --no-web.enable-lifecycle" in text

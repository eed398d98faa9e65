"""The settings as flags, in Prometheus' style, made from the settings' own description."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from exporter.settings import FLAGS, PREFIX, Row, Settings, load

__all__ = ["Reader", "settings_options"]

Reader = Callable[[], Settings]
"""Reads the settings anew each time. Raises ConfigurationError."""

_Decorator = Callable[[Callable[..., None]], Callable[..., None]]
_FILE = "config.file"


def settings_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command every setting as a flag; it is called with `read`, a Reader."""

    def called(**given: Any) -> None:
        told = {key: given.pop(name) for name, key in _NAMES.items()}
        file = given.pop("config_file_path")
        flags = {key: value for key, value in told.items() if value not in (None, ())}
        command(read=lambda: load(flags=flags, environ=os.environ, file=file), **given)

    called.__doc__ = command.__doc__
    called.__name__ = command.__name__
    # click keeps a command's options on the function that they decorate.
    vars(called)["__click_params__"] = list(vars(command).get("__click_params__", ()))
    options = [_option(row, name) for name, row in _BY_NAME.items()]
    file = click.option(
        f"--{_FILE}",
        "config_file_path",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help=f"Configuration file (YAML); accounts stand there, or in {PREFIX}ACCOUNTS__0__ID and …__API_KEY.",
    )
    decorated: Callable[..., None] = called
    decorators: list[_Decorator] = [file, *options]
    for add in reversed(decorators):
        decorated = add(decorated)
    return decorated


def _option(row: Row, name: str) -> _Decorator:
    # No click.Choice: what a value must be is for the settings to say, so that all mistakes are said at once.
    text = f"{row.help}  [default: {row.default}]" if row.default else row.help
    if row.switch:
        return click.option(f"{row.flag}/--no-{row.flag.removeprefix('--')}", name, default=None, help=text)
    return click.option(row.flag, name, multiple=row.repeatable, metavar=_metavar(row), help=text)


def _metavar(row: Row) -> str:
    return f"[{'|'.join(row.choices)}]" if row.choices else row.key.rpartition(".")[2].upper()


def _name(key: str) -> str:
    return key.replace(".", "__")


_BY_NAME: Mapping[str, Row] = {_name(row.key): row for row in FLAGS.values()}
_NAMES: Mapping[str, str] = {name: row.key for name, row in _BY_NAME.items()}

"""Where values come from, and which one counts: flag, environment variable, file, default."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from exporter.settings.model import PREFIX, AccountSettings, Settings
from exporter.settings.problems import ConfigurationError, Problem
from exporter.settings.reference import FLAGS, documented
from exporter.settings.wrong import sentence
from exporter.settings.yaml_file import read_file

__all__ = ["CONFIG_VARIABLES", "load"]

CONFIG_VARIABLES = (f"{PREFIX}CONFIG_FILE", f"{PREFIX}CONFIG__FILE")
"""`--config.file` is the one setting that the file itself cannot hold."""

_Keys = tuple[str, ...]
_NOT_SET = "not set"
_FLAG_OF = {flag.key: flag.name for flag in FLAGS.values()}


def load(*, flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None) -> Settings:
    """Return the settings. `flags` holds those that were given, by key. Raises ConfigurationError with all mistakes."""
    merged: dict[str, Any] = {}
    origin: dict[_Keys, str] = {}
    problems: list[Problem] = []
    told, source = _path_of_file(file, environ)
    if told is not None:
        values, lines, wrong = read_file(told, source)
        problems += wrong
        _merge(merged, origin, values, lambda path: lines.get(path, str(told)))
    values, wrong = _from_environment(environ)
    problems += wrong
    _merge(merged, origin, values, _variable)
    for key, value in flags.items():
        path = tuple(key.split("."))
        _merge(merged, origin, _nested(path, value), lambda _, flag=_FLAG_OF[key]: flag)
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        found = [_problem(mistake, origin) for mistake in error.errors(include_url=False, include_input=False)]
        # Of a file that could not be read it is no news that it configures nothing.
        problems += [problem for problem in found if not (problems and problem.source == _NOT_SET)]
    if problems:
        raise ConfigurationError(problems)
    return settings


def _path_of_file(file: Path | None, environ: Mapping[str, str]) -> tuple[Path | None, str]:
    if file is not None:
        return file, "--config.file"
    for variable in CONFIG_VARIABLES:
        if environ.get(variable):
            return Path(environ[variable]), variable
    return None, ""


class _Environment(EnvSettingsSource):
    """pydantic-settings' own reading of variables, of an environment that is passed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {name.lower(): value for name, value in environ.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._environ

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Text that is no JSON stays text: whether it will do is for the model to say, in our words."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _from_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX) and name not in CONFIG_VARIABLES}
    sections = {name.upper(): name for name in Settings.model_fields}
    usable, problems = {}, []
    for name, value in ours.items():
        section, _, _ = name.removeprefix(PREFIX).partition("__")
        if section in sections:
            usable[name] = value
        else:
            near = difflib.get_close_matches(section, sections, 1)
            hint = f"; did you mean {PREFIX}{near[0]}__…?" if near else ""
            problems.append(Problem("", name, f"no such setting{hint}"))
    return _read(usable), problems


def _read(environ: Mapping[str, str]) -> dict[str, Any]:
    return _Environment(environ)()


def _merge(merged: dict[str, Any], origin: dict[_Keys, str], values: Any, source: Any, path: _Keys = ()) -> None:
    """Lay values over those of weaker sources, and remember of each where it came from. Lists merge by index."""
    for key, value in values.items():
        here = (*path, str(key))
        origin[here] = source(here)
        nested = dict(enumerate(value)) if isinstance(value, list) and here == ("accounts",) else value
        if isinstance(nested, dict):
            below = merged.setdefault(str(key), {})
            if not isinstance(below, dict):
                below = merged[str(key)] = {}
            _merge(below, origin, nested, source, here)
        else:
            merged[str(key)] = value


def _nested(path: _Keys, value: Any) -> dict[str, Any]:
    *above, last = path
    nested = {last: value}
    for key in reversed(above):
        nested = {key: nested}
    return nested


def _variable(path: _Keys) -> str:
    return PREFIX + "__".join(path).upper()


def _problem(mistake: Mapping[str, Any], origin: Mapping[_Keys, str]) -> Problem:
    path = tuple(str(part) for part in mistake["loc"])
    message = sentence(mistake, path, _neighbours(path))
    while path and path not in origin:  # A default, or a part of a value that came as a whole.
        path = path[:-1]
    setting = ".".join(str(part) for part in mistake["loc"])
    if not setting and ": " in message:
        setting, _, message = message.partition(": ")
        return Problem(setting, origin.get((setting,), _NOT_SET), message)
    return Problem(setting, origin.get(path, "default"), message)


def _neighbours(path: _Keys) -> Iterable[str]:
    """The keys that could have stood where an unknown one does."""
    if path[:1] == ("accounts",):
        return [field.alias or name for name, field in AccountSettings.model_fields.items()]
    prefix = ".".join(path[:-1])
    keys = [row.key for row in documented() if not row.key.startswith("accounts.")] + ["accounts"]
    return sorted({key.removeprefix(prefix).lstrip(".").split(".")[0] for key in keys if key.startswith(prefix)})

"""Which source counts: flag, environment variable, file, default."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from exporter.settings.environment import CONFIG_VARIABLES, our_variables, values_of
from exporter.settings.layers import INDEX, Keys, Layers
from exporter.settings.model import AccountSettings, Settings, ShardSettings, StateSettings
from exporter.settings.problems import ConfigurationError, Problem
from exporter.settings.reference import FLAGS, documented
from exporter.settings.wrong import no_such_setting, sentence
from exporter.settings.yaml_file import read_file

__all__ = ["load", "load_state"]

_Model = TypeVar("_Model", bound=BaseModel)

_NOT_SET = "not set"
_FLAG_OF = {row.key: flag for flag, row in FLAGS.items()}


def load(*, flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None) -> Settings:
    """Return the settings. `flags` holds those that were given, by key. Raises ConfigurationError with all mistakes."""
    layers, problems = _laid(flags, environ, file)
    sections = {key: value for key, value in layers.values.items() if key in Settings.model_fields}
    problems += [_unknown((key,), layers) for key in layers.values if key not in sections]
    indexes = _take_accounts_as_list(sections)
    return _validated(Settings, sections, layers, problems, indexes)


def load_state(
    *, flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None
) -> tuple[StateSettings, ShardSettings]:
    """Return only what says where the ledger is: whoever looks at it need not have accounts, nor may read their keys.

    Raises ConfigurationError, as `load`.
    """
    layers, problems = _laid(flags, environ, file)
    sections = {key: layers.values[key] for key in _Whereabouts.model_fields if key in layers.values}
    found = _validated(_Whereabouts, sections, layers, problems, ())
    return found.state, found.shard


class _Whereabouts(BaseModel):
    state: StateSettings = Field(default_factory=StateSettings)
    shard: ShardSettings = Field(default_factory=ShardSettings)


def _laid(flags: Mapping[str, Any], environ: Mapping[str, str], file: Path | None) -> tuple[Layers, list[Problem]]:
    """All sources over each other, and what is wrong with them as such."""
    variables = our_variables(environ)
    layers = Layers()
    problems = _lay_file(layers, *_path_of_file(file, variables))
    layers.next_source()
    problems += _lay_variables(layers, variables)
    layers.next_source()
    for key, value in flags.items():
        layers.lay(tuple(key.split(".")), value, _always(_FLAG_OF[key]))
    return layers, problems


def _validated(
    model: type[_Model], sections: Mapping[str, Any], layers: Layers, problems: list[Problem], indexes: Sequence[str]
) -> _Model:
    try:
        settings = model(**sections)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False)
        found = [_problem(mistake, layers, indexes) for mistake in mistakes]
        # Of a file that could not be read it is no news that it configures nothing.
        problems += [problem for problem in found if not (problems and problem.source == _NOT_SET)]
    if problems:
        raise ConfigurationError(problems)
    return settings


def _path_of_file(file: Path | None, variables: Mapping[str, str]) -> tuple[Path | None, str]:
    if file is not None:
        return file, "--config.file"
    named = {name.upper(): name for name, text in variables.items() if text}
    for name in CONFIG_VARIABLES:
        if name in named:
            return Path(variables[named[name]]), named[name]
    return None, ""


def _lay_file(layers: Layers, path: Path | None, source: str) -> list[Problem]:
    if path is None:
        return []
    values, lines, problems = read_file(path, source)
    for key, value in values.items():
        layers.lay((key,), value, lines.__getitem__)
    return problems


def _lay_variables(layers: Layers, variables: Mapping[str, str]) -> list[Problem]:
    problems = []
    for told in values_of(variables):
        if isinstance(told, Problem):
            problems.append(told)
        else:
            name, section, value = told
            layers.lay((section,), value, _always(name))
    return problems


def _always(source: str) -> Callable[[Keys], str]:
    return lambda _: source


def _take_accounts_as_list(sections: dict[str, Any]) -> Sequence[str]:
    """Return by which index each account was written: a variable's may leave some out."""
    accounts = sections.get("accounts")
    if not isinstance(accounts, dict) or not all(map(INDEX.fullmatch, accounts)):
        return ()
    indexes = sorted(accounts, key=int)
    sections["accounts"] = [accounts[index] for index in indexes]
    return indexes


def _problem(mistake: Mapping[str, Any], layers: Layers, indexes: Sequence[str]) -> Problem:
    path = tuple(str(part) for part in mistake["loc"] if part != "[key]")
    if path[0] == "accounts" and len(path) > 1 and indexes:
        path = (path[0], indexes[int(path[1])], *path[2:])
    if mistake["type"] == "extra_forbidden":
        return _unknown(path, layers)
    return Problem(".".join(path), layers.source_of(path, _NOT_SET), sentence(mistake))


def _unknown(path: Keys, layers: Layers) -> Problem:
    return Problem(".".join(path), layers.source_of(path, _NOT_SET), no_such_setting(path[-1], _neighbours(path)))


def _neighbours(path: Keys) -> Iterable[str]:
    """The keys that could have stood where an unknown one does."""
    if path[0] == "accounts":
        return [field.alias or name for name, field in AccountSettings.model_fields.items()]
    above = "".join(f"{part}." for part in path[:-1])
    keys = [row.key for row in documented()]
    return sorted({key.removeprefix(above).split(".")[0] for key in keys if key.startswith(above)})

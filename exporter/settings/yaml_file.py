"""The configuration file: YAML, with the line that each value stands on.

Every value is taken as the text that is written, as from a variable: YAML's own guesses make another key of an
unquoted `api_key: 0123` (83), another address of `1:20` (80), and an error of `2027-02-30` that says no line.
"""

from pathlib import Path
from typing import Any

import yaml

from exporter.settings.problems import Problem

__all__ = ["read_file"]

_NULL, _MERGE = "tag:yaml.org,2002:null", "tag:yaml.org,2002:merge"
_TAGS = frozenset({_NULL, *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))})
_DEEPEST = 12
_MOST_VALUES = 100_000
"""Aliases of aliases could otherwise make more values than there is memory."""

_TAG = "has a tag; put a value that begins with ! into quotes"

_Keys = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """Composes nodes; what is neither a list nor a mapping is null or text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {  # noqa: RUF012 - PyYAML's
        first: [(tag, pattern) for tag, pattern in resolvers if tag in {_NULL, _MERGE}]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_file(path: Path, source: str) -> tuple[dict[str, Any], dict[_Keys, str], list[Problem]]:
    """Return the values, the `file:line` of each, and what is wrong with the file as a whole."""
    try:
        root = yaml.compose(path.read_bytes().decode(), Loader=_Loader)
        reading = _Reading(path)
        values = None if root is None else reading.value(root, ())
    except OSError as error:
        return {}, {}, [Problem("config.file", source, f"cannot read {path}: {error.strerror}")]
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        return {}, {}, [_invalid(error, path)]
    if values is None:
        values = {}
    if not isinstance(values, dict):
        return {}, {}, [Problem("", str(path), "is not a mapping of settings; begin with accounts:")]
    return values, reading.lines, []


class _Reading:
    """Nodes into values; `lines` of where each stands."""

    def __init__(self, path: Path) -> None:
        self.lines: dict[_Keys, str] = {}
        self._path = path

    def value(self, node: yaml.Node, here: _Keys) -> Any:
        if len(here) > _DEEPEST:
            raise _unusable("is nested too deeply", node)
        if len(self.lines) > _MOST_VALUES:
            raise _unusable("holds too much", node)
        if node.tag not in _TAGS:
            raise _unusable(_TAG, node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, here)
        if isinstance(node, yaml.SequenceNode):
            return [self._at(part, part, (*here, str(index))) for index, part in enumerate(node.value)]
        return None if node.tag == _NULL else node.value

    def _mapping(self, node: yaml.MappingNode, here: _Keys) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, part in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _unusable("has a key that is not text", key)
            if key.tag == _MERGE:
                merged |= self._merged(part, here)
            elif key.value in values:
                raise _unusable(f"has the key {key.value!r} twice", key)
            else:
                values[key.value] = self._at(key, part, (*here, key.value))
        return merged | values

    def _merged(self, node: yaml.Node, here: _Keys) -> dict[str, Any]:
        """What `<<` brings along; keys that stand there count before it. Of several mappings, the first does."""
        merged: dict[str, Any] = {}
        for part in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(part, yaml.MappingNode):
                raise _unusable("merges what is not a mapping", part)
            merged |= self._mapping(part, here)
        return merged

    def _at(self, place: yaml.Node, node: yaml.Node, here: _Keys) -> Any:
        self.lines[here] = f"{self._path}:{place.start_mark.line + 1}"
        return self.value(node, here)


class _Unusable(yaml.MarkedYAMLError):
    """YAML that says what a configuration cannot."""


def _unusable(problem: str, node: yaml.Node) -> _Unusable:
    return _Unusable(problem=problem, problem_mark=node.start_mark)


def _invalid(error: Exception, path: Path) -> Problem:
    if isinstance(error, RecursionError):
        return Problem("", str(path), "is nested too deeply")
    if not isinstance(error, yaml.MarkedYAMLError):
        return Problem("", str(path), "is not text in UTF-8, or holds characters that YAML forbids")
    mark = error.problem_mark
    where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
    return Problem("", where, _sentence(error))


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "syntax error"
    if isinstance(error, _Unusable):
        return problem
    # PyYAML quotes the names of aliases and tags, and a password may look like one.
    if "alias" in problem:
        return "has an alias of nothing; put a value that begins with * into quotes"
    if "tag handle" in problem:
        return _TAG
    return f"is not valid YAML: {problem}"

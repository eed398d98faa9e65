"""The configuration file: YAML, read safely, with the line that each value stands on."""

from pathlib import Path
from typing import Any

import yaml

from exporter.settings.problems import Problem

__all__ = ["read_file"]


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice: the first would silently be lost."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key!r} is there twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_file(path: Path, source: str) -> tuple[dict[str, Any], dict[tuple[str, ...], str], list[Problem]]:
    """Return the values, the `file:line` of each, and what is wrong with the file as a whole."""
    try:
        text = path.read_bytes().decode()
        root = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        return {}, {}, [_problem(error, path, source)]
    if values is None:
        values = {}
    if not isinstance(values, dict):
        return {}, {}, [Problem("", str(path), "is not a mapping of settings; begin with accounts:")]
    lines: dict[tuple[str, ...], str] = {}
    _note_lines(root, path, (), lines)
    return values, lines, []


def _problem(error: Exception, path: Path, source: str) -> Problem:
    if isinstance(error, OSError):
        return Problem("config.file", source, f"cannot read {path}: {error.strerror}")
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else str(path)
        return Problem("", where, f"is not valid YAML: {error.problem or 'syntax error'}")
    return Problem("", str(path), "is not valid YAML: it is not text in UTF-8, or holds characters that YAML forbids")


def _note_lines(node: yaml.Node | None, path: Path, here: tuple[str, ...], lines: dict[tuple[str, ...], str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*here, str(key.value))
            lines[below] = f"{path}:{key.start_mark.line + 1}"
            _note_lines(value, path, below, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            below = (*here, str(index))
            lines[below] = f"{path}:{value.start_mark.line + 1}"
            _note_lines(value, path, below, lines)

"""Values of several sources, laid over each other; of each it is known where it came from."""

import re
from collections.abc import Callable
from typing import Any

__all__ = ["INDEX", "Keys", "Layers"]

Keys = tuple[str, ...]

INDEX = re.compile(r"0|[1-9][0-9]{0,3}")

_OTHER_WAY = {
    "api_key": "api_key_file",
    "api_key_file": "api_key",
    "password": "password_file",
    "password_file": "password",
    "totp": "totp_file",
    "totp_file": "totp",
}
"""The two ways to give one secret."""


class Layers:
    """Begin with the weakest source. Accounts are laid over each other one by one, any other list as a whole."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._sources: dict[Keys, str] = {}
        self._weaker: set[Keys] = set()

    def next_source(self) -> None:
        """What is laid from now on comes from a stronger source."""
        self._weaker = set(self._sources)

    def lay(self, path: Keys, value: Any, source: Callable[[Keys], str]) -> None:
        """Lay a value over what is there. `source` says where it, or a part of it, came from."""
        for length in range(1, len(path)):
            self._sources[path[:length]] = source(path)
        self._lay(path, value, source)

    def source_of(self, path: Keys, default: str) -> str:
        """Where a value came from; of a part that nobody named, where the whole did."""
        while path and path not in self._sources:
            path = path[:-1]
        return self._sources.get(path, default)

    def _lay(self, path: Keys, value: Any, source: Callable[[Keys], str]) -> None:
        if path == ("accounts",) and isinstance(value, list):
            self._drop(path)
            value = {str(index): account for index, account in enumerate(value)}
        if isinstance(value, dict):
            self._mapping_at(path)
            self._sources[path] = source(path)
            for key, part in value.items():
                self._lay((*path, str(key)), part, source)
            return
        self._drop(path)
        self._drop_other_way(path)
        self._mapping_at(path[:-1])[path[-1]] = value
        self._sources[path] = source(path)
        for index in range(len(value)) if isinstance(value, list) else ():
            self._sources[*path, str(index)] = source((*path, str(index)))

    def _mapping_at(self, path: Keys) -> dict[str, Any]:
        at = self.values
        for key in path:
            if not isinstance(at.get(key), dict):
                at[key] = {}
            at = at[key]
        return at

    def _drop(self, path: Keys) -> None:
        """Forget a value and all below it."""
        self._mapping_at(path[:-1]).pop(path[-1], None)
        self._sources = {known: source for known, source in self._sources.items() if known[: len(path)] != path}
        self._weaker -= {path}

    def _drop_other_way(self, path: Keys) -> None:
        """A secret replaces what a weaker source gave in the other way."""
        other = (*path[:-1], _OTHER_WAY.get(path[-1], ""))
        if path[0] == "accounts" and other in self._weaker:
            self._drop(other)

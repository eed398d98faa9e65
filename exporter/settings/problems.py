"""A mistake of the operator's as a line."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ConfigurationError", "Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """`setting (where it came from): what is wrong; what would be right`."""

    setting: str
    source: str
    message: str

    def __str__(self) -> str:
        line = f"{self.setting} ({self.source}): {self.message}" if self.setting else f"{self.source}: {self.message}"
        # A key or a file's name may hold a line break.
        return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


class ConfigurationError(Exception):
    """Everything that is wrong with a configuration, at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)

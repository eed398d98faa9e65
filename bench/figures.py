"""Figures and how they are shown."""

import statistics
from collections.abc import Sequence

__all__ = ["quantile", "row", "spread"]


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile of some measured values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Median, least and most."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def row(what: str, *figures: str) -> None:
    """Print a row of the table."""
    print(f"| {what:<58} | " + " | ".join(figures) + " |", flush=True)

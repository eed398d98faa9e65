"""Figures and how they are shown."""

import statistics
from collections.abc import Sequence

__all__ = ["held", "quantile", "row", "spread"]


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile of some measured values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Median, least and most."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def held(values_ms: Sequence[tuple[float, float]], *, at_work: bool = False) -> str:
    """How long a loop was held, or its thread `at_work`: p50, p99, p99.9 and the longest, milliseconds."""
    chosen = [each[at_work] for each in values_ms]
    return " / ".join(f"{quantile(chosen, q):.1f}" for q in (0.5, 0.99, 0.999, 1.0))


def row(what: str, *figures: str) -> None:
    """Print a row of the table."""
    print(f"| {what:<70} | " + " | ".join(figures) + " |", flush=True)

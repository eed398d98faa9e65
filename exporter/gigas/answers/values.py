"""Values of buckets and chunks, one by one: the unusable are refused and counted, the rest of the answer is used."""

from typing import Annotated

from msgspec import Meta

from exporter.counting import LARGEST

__all__ = ["MOST_BUCKETS", "Tally", "Value"]

MOST_BUCKETS = 4096
"""More than any window has (the longest of the page 373). An index beyond is no index, and would be a window of that
size further on."""

Value = Annotated[float, Meta(ge=0, le=LARGEST)]


class Tally:
    """Reads values and counts those it refuses."""

    def __init__(self) -> None:
        self.refused = 0

    def value(self, told: object) -> float | None:
        """None where there is nothing usable; only what is there and wrong is counted."""
        if told is None:
            return None
        if isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told <= LARGEST:  # Nor is NaN that.
            return float(told)
        self.refused += 1
        return None

    def index(self, key: object) -> int | None:
        """A bucket's place in its window."""
        if isinstance(key, str) and key.isascii() and key.isdecimal() and len(key) <= len(str(MOST_BUCKETS)):
            index = int(key)
            if index < MOST_BUCKETS:
                return index
        self.refused += 1
        return None

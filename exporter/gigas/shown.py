"""What a request has shown of itself."""

from dataclasses import dataclass, field

__all__ = ["Shown"]


@dataclass(frozen=True, slots=True)
class Shown:
    """`secret`: what it comes from. `shown_s`: since when. `probe`: it was refused before, and is tried again."""

    header: str = field(repr=False)
    secret: str = field(repr=False)
    shown_s: float
    probe: bool = False

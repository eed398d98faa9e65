"""Secrets, given or in a file. None of them is ever shown."""

import stat
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["SecretText", "checked_secret", "read_secret"]

_LARGEST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class SecretText:
    """A secret that is read when it is needed: a mounted file may be changed under a running process."""

    _given: str | None = field(default=None, repr=False)
    path: Path | None = None

    def read(self) -> str:
        """Raises OSError, or ValueError for a file that holds no secret."""
        if self.path is not None:
            return read_secret(self.path)
        return self._given or ""


def read_secret(path: Path) -> str:
    """The text of a file without the white space around it. Raises OSError, ValueError."""
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        # To open a pipe would wait for a writer, and it can be read only once. Of a folder, opening says it best.
        raise ValueError("is not a regular file")
    with path.open("rb") as file:
        content = file.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise ValueError("is too large for a secret")
    try:
        return checked_secret(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("is not text") from None


def checked_secret(text: str) -> str:
    """The secret without the white space around it. Raises ValueError; the message never quotes it."""
    secret = text.strip()
    if not secret:
        raise ValueError("is empty")
    if not secret.isprintable():
        raise ValueError("holds characters that a secret cannot have, such as line breaks")
    return secret

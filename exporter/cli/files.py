"""Files that a command writes: whole, or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import click

__all__ = ["replacing"]


@contextlib.contextmanager
def replacing(output: Path, *, mode: int = 0o600) -> Iterator[IO[bytes]]:
    """A file that takes the place of another at the end of the block. Raises ClickException."""
    try:
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", delete=False) as file:
            made = Path(file.name)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
                made.chmod(mode)
                made.replace(output)
            except BaseException:
                made.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise click.ClickException(f"cannot write {output}: {error.strerror}") from error

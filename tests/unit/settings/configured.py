"""Settings from a document, variables and flags, as the commands read them."""

from pathlib import Path
from typing import Any

import pytest

from exporter.settings import ConfigurationError, Settings, load

__all__ = ["ACCOUNT", "ACCOUNT_VARIABLES", "SECRET", "loaded", "mistakes"]

SECRET = "hunter2-is-no-secret"
ACCOUNT = f"accounts: [{{id: 17893, api_key: {SECRET}}}]\n"
ACCOUNT_VARIABLES = {"ACCOUNTS__0__ID": "17893", "ACCOUNTS__0__API_KEY": SECRET}


def loaded(file: Path | None = None, text: str | None = None, /, **sources: Any) -> Settings:
    """Load the file, into which the text goes first; `flags` by key; variables, named without our prefix."""
    if text is not None:
        assert file is not None
        file.write_text(text)
    flags = sources.pop("flags", {})
    environ = {f"GIGAS_EXPORTER_{name}": value for name, value in sources.items()}
    return load(flags=flags, environ=environ, file=file)


def mistakes(file: Path | None = None, text: str | None = None, /, **sources: Any) -> list[str]:
    """The lines that an operator reads, with FILE for the file."""
    with pytest.raises(ConfigurationError) as caught:
        loaded(file, text, **sources)
    assert SECRET not in repr(caught.value)
    lines = str(caught.value).split("\n")
    assert lines == [str(problem) for problem in caught.value.problems]
    return [line.replace(str(file), "FILE") for line in lines]

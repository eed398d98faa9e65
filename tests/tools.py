"""Programs that tests run and that Python's package index does not have."""

import os
import shutil

import pytest

__all__ = ["tool"]


def tool(name: str, package: str) -> str:
    """The path of a program. Without it the test is skipped with a line that says how to get it; in CI it fails."""
    path = shutil.which(name)
    if path is not None:
        return path
    missing = f"{name} is not there: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)

"""Programs that tests run: found, or said how to get."""

import os
import shutil

import pytest

__all__ = ["tool"]


def tool(name: str, package: str) -> str:
    """The path of a program of a Debian package. Without it the test fails where CI=true, and is skipped elsewhere."""
    path = shutil.which(name)
    if path is not None:
        return path
    message = f"{name} is not installed: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)

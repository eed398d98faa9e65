"""Where the ledger's file is, if nobody says."""

from collections.abc import Mapping
from pathlib import Path

from exporter.settings.model import ShardSettings, StateSettings
from exporter.settings.problems import ConfigurationError, Problem

__all__ = ["ledger_path"]

_IN_MEMORY = ":memory:"


def ledger_path(state: StateSettings, shard: ShardSettings, environ: Mapping[str, str]) -> Path | None:
    """Return the file, None where none is wanted (`:memory:`). Raises ConfigurationError.

    Shards that find it by themselves have one each: they may be services of one machine.
    """
    if state.path == _IN_MEMORY:
        return None
    if state.path is not None:
        return Path(state.path)
    name = "ledger.db" if shard.total == 1 else f"ledger-{shard.index}-of-{shard.total}.db"
    path = _folder(environ) / name
    if path.is_dir():
        raise _wrong(f"{path} is a folder; set it to a file")
    return path


def _folder(environ: Mapping[str, str]) -> Path:
    # systemd: several folders are separated by colons.
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    # XDG base directories: a path that is not absolute is to be ignored.
    if (chosen := Path(environ.get("XDG_STATE_HOME", ""))).is_absolute():
        return chosen / "gigas-exporter"
    if (home := Path(environ.get("HOME", ""))).is_absolute():
        return home / ".local/state/gigas-exporter"
    raise _wrong("there is neither $STATE_DIRECTORY nor $HOME; set it to a file, or to :memory:")


def _wrong(message: str) -> ConfigurationError:
    return ConfigurationError([Problem("state.path", "not set", message)])

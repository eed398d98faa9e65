"""Where the ledger's file is: where it is said to be, else where the system wants it."""

from pathlib import Path

import pytest

from exporter.settings import ConfigurationError, ShardSettings, StateSettings, ledger_path, load, load_state

ALONE = ShardSettings()


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"STATE_DIRECTORY": "/one:/two", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/one/ledger.db"),
        ({"STATE_DIRECTORY": "", "XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/gigas-exporter/ledger.db"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/gigas-exporter/ledger.db"),
    ],
)
def test_the_first_folder_that_the_system_names_is_taken(environ: dict[str, str], path: str) -> None:
    assert ledger_path(StateSettings(), ALONE, environ) == Path(path)


def test_a_path_that_is_set_counts_and_memory_is_no_file() -> None:
    assert ledger_path(StateSettings(path="/a/b.db"), ShardSettings(index=1, total=3), {}) == Path("/a/b.db")
    assert ledger_path(StateSettings(path=":memory:"), ALONE, {}) is None


def test_each_shard_finds_a_file_of_its_own() -> None:
    paths = {ledger_path(StateSettings(), ShardSettings(index=n, total=3), {"HOME": "/h"}) for n in range(3)}
    assert {path.name for path in paths if path} == {f"ledger-{n}-of-3.db" for n in range(3)}


def test_where_there_is_no_home_a_path_must_be_set() -> None:
    line = "state.path (not set): there is neither $STATE_DIRECTORY nor $HOME; set it to a file, or to :memory:"
    with pytest.raises(ConfigurationError) as caught:
        ledger_path(StateSettings(), ALONE, {"HOME": ""})
    assert str(caught.value) == line


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(
        ConfigurationError, match=r"^state.path \(not set\): .*/ledger.db is a folder; set it to a file$"
    ):
        ledger_path(StateSettings(), ALONE, {"STATE_DIRECTORY": str(tmp_path)})
    variables = {"GIGAS_EXPORTER_ACCOUNTS__0__ID": "1", "GIGAS_EXPORTER_ACCOUNTS__0__API_KEY": "a-key"}
    with pytest.raises(ConfigurationError) as caught:
        load(flags={}, environ={**variables, "GIGAS_EXPORTER_STATE__PATH": str(tmp_path)}, file=None)
    said = f"is a folder; name a file in it, such as {tmp_path}/ledger.db"
    assert str(caught.value) == f"state.path (GIGAS_EXPORTER_STATE__PATH): {said}"


def test_who_only_looks_at_the_file_needs_no_account_and_no_key(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    file.write_text("accounts: [{id: 1, api_key_file: /nonexistent}]\nstate: {path: /in/file}\nshard: {total: 4}\n")
    state, shard = load_state(flags={}, environ={}, file=file)
    assert (state.path, shard.total) == ("/in/file", 4)
    environ = {"GIGAS_EXPORTER_STATE__PATH": "/in/variable"}
    assert load_state(flags={}, environ=environ, file=file)[0].path == "/in/variable"
    assert load_state(flags={"state.path": "/flag"}, environ=environ, file=file)[0].path == "/flag"


def test_a_mistake_in_what_is_looked_at_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    file.write_text("state: {pth: /in/file}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_state(flags={"shard.total": "many"}, environ={}, file=file)
    assert str(caught.value).splitlines() == [
        f"state.pth ({file}:1): no such setting; did you mean path?",
        "shard.total (--shard.total): is not a whole number",
    ]

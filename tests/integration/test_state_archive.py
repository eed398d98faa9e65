"""A ledger written, looked at, exported and read back, without a process around it."""

import json
from pathlib import Path

import pytest

from exporter.cli.state_shown import as_json, as_table
from exporter.ledger import (
    AccountRecord,
    ArchiveRefused,
    Batch,
    ListedVm,
    SqliteLedger,
    VmRecord,
    archived,
    look,
    restored,
    verify,
)
from tests.unit.ledger.filled import filled

ACCOUNT = "17893/production"
LISTED: ListedVm = {"vm_id": "24", "label": "web-1", "cpus": 2, "locked": False, "created_at": None}


async def written(path: Path) -> VmRecord:
    """A ledger with one VM in it."""
    record = filled(VmRecord, vm_id="24", name="web-1")
    ledger = await SqliteLedger.open(path, start_anew=False, now_s=0.0)
    try:
        await ledger.commit(
            Batch(
                accounts={ACCOUNT: filled(AccountRecord)},
                changed={ACCOUNT: [record]},
                listed={ACCOUNT: {"24": LISTED}},
            )
        )
    finally:
        await ledger.close()
    return record


async def test_what_was_exported_is_what_was_committed_and_comes_back_whole(tmp_path: Path) -> None:
    record = await written(tmp_path / "ledger.db")
    lines = list(archived(tmp_path / "ledger.db"))
    known = restored(lines)[ACCOUNT]
    assert (known.vms, known.account, known.listed) == ((record,), filled(AccountRecord), {"24": LISTED})
    assert look(tmp_path / "ledger.db").accounts == {ACCOUNT: known}


async def test_an_export_that_was_cut_or_changed_is_refused_with_a_line(tmp_path: Path) -> None:
    await written(tmp_path / "ledger.db")
    lines = list(archived(tmp_path / "ledger.db"))
    for broken in ([], lines[:-1], [*lines, lines[-1]], ["{}", *lines[1:]], [lines[0], "no line", *lines[2:]]):
        with pytest.raises(ArchiveRefused) as refused:
            restored(broken)
        assert len(str(refused.value).splitlines()) == 1


async def test_what_is_shown_of_a_vm_is_its_name_and_its_counters(tmp_path: Path) -> None:
    record = await written(tmp_path / "ledger.db")
    found = look(tmp_path / "ledger.db")
    shown = json.loads(as_json(tmp_path / "ledger.db", found))
    assert "web-1" in json.dumps(shown)
    table = "\n".join(as_table(tmp_path / "ledger.db", found))
    assert ACCOUNT in table
    assert record.name in table


async def test_a_ledger_that_was_written_has_every_record_looked_at(tmp_path: Path) -> None:
    await written(tmp_path / "ledger.db")
    verdict = verify(tmp_path / "ledger.db")
    assert (verdict.accounts, verdict.vms) == (1, 1)

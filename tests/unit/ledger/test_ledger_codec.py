"""What is written of a record is all of it, and what was written by an earlier version can still be read."""

from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import fields

from exporter.counting import Series, Spell, horizon_of
from exporter.ledger import AccountRecord, ListedVm, VmRecord
from exporter.ledger.codec import (
    NotDecoded,
    account_from,
    account_text,
    listed_from,
    listed_text,
    vm_from,
    vm_text,
)
from tests.unit.ledger.filled import default_of, filled


def inside(record: Any) -> list[Any]:
    """The structs in a record, itself too."""
    found = [record] if isinstance(record, Struct) else []
    if isinstance(record, Struct):
        parts = [getattr(record, name) for name in record.__struct_fields__]
    elif isinstance(record, dict):
        parts = list(record.values())
    else:
        parts = list(record) if isinstance(record, tuple) else []
    return found + [each for part in parts for each in inside(part)]


@pytest.mark.parametrize("kind", [VmRecord, AccountRecord])
def test_a_filled_record_holds_no_default_anywhere(kind: type) -> None:
    records = inside(filled(kind))
    assert len(records) > 2
    for record in records:
        for each in fields(record):
            assert getattr(record, each.name) != default_of(each), f"{type(record).__name__}.{each.name}"


def test_every_field_of_a_record_comes_back() -> None:
    record, account = filled(VmRecord), filled(AccountRecord)
    assert vm_from(vm_text(record)) == record
    assert account_from(account_text(account)) == account


def test_what_comes_back_is_of_the_same_types() -> None:
    record, account = filled(VmRecord), filled(AccountRecord)
    assert repr(vm_from(vm_text(record))) == repr(record)
    assert repr(account_from(account_text(account))) == repr(account)


def test_a_record_that_knows_nothing_yet_comes_back() -> None:
    spell = Spell(1.5, 2.5)
    fresh = VmRecord(
        vm_id="1",
        name="\u20ac\n",
        known_since_at=0.1,
        appeared=False,
        running_since_ms=None,
        lock=spell,
        suspension=spell,
    )
    assert vm_from(vm_text(fresh)) == fresh
    assert account_from(account_text(AccountRecord())) == AccountRecord()


def test_a_listed_machine_comes_back() -> None:
    listed: ListedVm = {"label": "web \u20ac", "cpus": 2**70, "created_at": 0.1, "locked": False, "updated_at": None}
    assert listed_from(listed_text(listed)) == listed


def test_a_horizon_is_written_as_its_runs() -> None:
    runs = ((0, 10, 77, (5, 6, 7)), (30, 10, 78, (8,)), (50, 10, 78, (9,)), (60, 5, 78, (1,)))
    series = filled(Series, horizon=horizon_of(runs))
    record = filled(VmRecord, cpu=None, interfaces={"1": filled(type_of_interface(), receive=series)})
    text = vm_text(record)
    assert "[[0,10,77,[5,6,7]],[30,10,78,[8]],[50,10,78,[9]],[60,5,78,[1]]]" in text
    assert vm_from(text).interfaces["1"].receive.runs == runs


def type_of_interface() -> Any:
    return type(next(iter(filled(VmRecord).interfaces.values())))


def test_a_record_without_the_fields_that_came_later_has_their_defaults() -> None:
    """Whatever has a default today was added without a migration, and may be missing from a row."""
    text = (
        '{"vm_id":"24","name":"web-1","known_since_at":1.5,"appeared":true,"running_since_ms":7,'
        '"lock":{"looked_seen_at":1.0,"looked_at":2.0},"suspension":{"looked_seen_at":1.0,"looked_at":2.0}}'
    )
    assert vm_from(text) == VmRecord(
        vm_id="24",
        name="web-1",
        known_since_at=1.5,
        appeared=True,
        running_since_ms=7,
        lock=Spell(1.0, 2.0),
        suspension=Spell(1.0, 2.0),
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "7", "null", '"text"', "{}", '{"vm_id":"24"}', "[" * 100_000,
        vm_text(filled(VmRecord)).replace('"name"', '"nome"'),
        vm_text(filled(VmRecord)).replace('"interfaces":{', '"interfaces":{"9":7,'),
    ],
)  # fmt: skip
def test_what_is_no_record_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NotDecoded):
        vm_from(text)


@pytest.mark.parametrize("text", ["[]", "7", '{"label":["a"]}', '{"label":{}}'])
def test_a_listed_machine_is_a_mapping_of_plain_values(text: str) -> None:
    with pytest.raises(NotDecoded):
        listed_from(text)

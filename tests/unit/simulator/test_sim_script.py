"""How faults are written, and when they strike."""

import pytest

from exporter.simulator import FAULTS, Fault, load_faults
from exporter.simulator.script import Script


def strikes(fault: Fault, *, times: int = 10, vm: str | None = None, after_s: float = 0.0) -> list[bool]:
    script = Script((fault,), seed=1)
    return [
        script.find(endpoint="cpu_stats", account="17893", vm=vm, after_s=after_s) is not None for _ in range(times)
    ]


def test_a_script_is_a_list_in_yaml_or_json() -> None:
    expected = (Fault(kind="status", status=429, retry_after="7", every=3), Fault(kind="hang", seconds=2.5, vm="17"))
    assert load_faults("- {kind: status, status: 429, retry_after: 7, every: 3}\n- {kind: hang, seconds: 2.5, vm: 17}")
    assert (
        load_faults(
            '[{"kind": "status", "status": 429, "retry_after": "7", "every": 3},'
            ' {"kind": "hang", "seconds": 2.5, "vm": "17"}]'
        )
        == expected
    )
    assert load_faults("") == load_faults("[]") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{kind: status}", "faults: not a list"),
        ("[", "faults: not valid YAML, line 1"),
        ("- status", "faults.0: not a mapping"),
        ("- {status: 503}", "faults.0.kind: no such kind"),
        ("- {kind: hang}\n- {kind: earthquake}", "faults.1.kind: no such kind; known are status"),
        ("- {kind: [hang]}", "faults.0.kind: no such kind"),
        ("- {kind: hang, second: 5}", "faults.0.second: no such key; known are kind"),
        ("- {kind: hang, seconds: soon}", "faults.0.seconds: not a number from 0 on"),
        ("- {kind: hang, seconds: -1}", "faults.0.seconds: not a number from 0 on"),
        ("- {kind: hang, seconds: .inf}", "faults.0.seconds: not a number from 0 on"),
        ("- {kind: hang, seconds: .nan}", "faults.0.seconds: not a number from 0 on"),
        ("- {kind: hang, every: 0}", "faults.0.every: not a number from 1 on"),
        ("- {kind: hang, times: 1.5}", "faults.0.times: not a whole number"),
        ("- {kind: hang, probability: 2}", "faults.0.probability: not a number from 0 to 1"),
        ("- {kind: hang, probability: true}", "faults.0.probability: not a number from 0 to 1"),
        ("- {kind: status, status: 42}", "faults.0.status: not a number from 200 to 599"),
        ("- {kind: status, retry_after: soon}", "faults.0.retry_after: neither seconds nor"),
        ("- {kind: limit, per_second: -1}", "faults.0.per_second: not a number from 0 on"),
        ("- {kind: limit, burst: 0.5}", "faults.0.burst: not a number from 1 on"),
        ("- {kind: limit, allowance: 1}", "faults.0.allowance: no such key"),
        ("- {kind: status, vm: [1]}", "faults.0.vm: not a word"),
    ],
)
def test_a_mistake_in_a_script_is_a_line_that_says_where(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        load_faults(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_kind_can_be_written_with_nothing_else(kind: str) -> None:
    assert load_faults(f"- kind: {kind}") == (Fault(kind=kind),)


@pytest.mark.parametrize("text", ["seven", "date:30"])
def test_a_date_to_retry_after_is_so_many_seconds_ahead(text: str) -> None:
    if text == "date:30":
        assert load_faults(f"- {{kind: status, retry_after: '{text}'}}")[0].retry_after == "date:30"
    else:
        with pytest.raises(ValueError):
            load_faults(f"- {{kind: status, retry_after: {text}}}")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(kind="hang"), [True] * 10),
        (Fault(kind="hang", every=3), [False, False, True] * 3 + [False]),
        (Fault(kind="hang", times=2), [True, True] + [False] * 8),
        (Fault(kind="hang", every=4, times=1), [False, False, False, True] + [False] * 6),
        (Fault(kind="hang", endpoint="bw_stats"), [False] * 10),
        (Fault(kind="hang", account="1"), [False] * 10),
        (Fault(kind="hang", vm="5"), [False] * 10),
        (Fault(kind="hang", since=5), [False] * 10),
        (Fault(kind="hang", until=5), [True] * 10),
    ],
)
def test_a_fault_strikes_when_it_says(fault: Fault, expected: list[bool]) -> None:
    assert strikes(fault) == expected


def test_a_fault_begins_at_since_and_ends_before_until() -> None:
    fault = Fault(kind="hang", since=5, until=8)
    assert [strikes(fault, times=1, after_s=at)[0] for at in (4.9, 5, 7.9, 8)] == [False, True, True, False]


def test_a_probable_fault_strikes_about_so_often_and_alike_for_a_seed() -> None:
    drawn = strikes(Fault(kind="hang", probability=0.3), times=1_000)
    assert 240 < sum(drawn) < 360
    assert drawn == strikes(Fault(kind="hang", probability=0.3), times=1_000)


def test_the_first_fault_of_a_script_that_fits_strikes() -> None:
    script = Script((Fault(kind="hang", vm="5"), Fault(kind="reset")), seed=1)
    kinds = [script.find(endpoint="cpu_stats", account="1", vm=vm, after_s=0) for vm in ("5", "6")]
    assert [fault.kind for fault in kinds if fault] == ["hang", "reset"]


def test_a_new_script_replaces_the_old_one_and_counts_anew() -> None:
    script = Script((Fault(kind="hang", times=1),), seed=1)
    for _ in range(2):
        script.put((Fault(kind="reset", times=1),))
        found = [script.find(endpoint="x", account=None, vm=None, after_s=0) for _ in range(2)]
        assert [fault.kind if fault else None for fault in found] == ["reset", None]
    script.put(())
    assert script.find(endpoint="x", account=None, vm=None, after_s=0) is None

"""What the daemon says of itself is what it was told, however often it was asked in between."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from exporter.metrics import FAMILIES, Own, OwnFamily
from tests.exposition import text_of

OWN = [family for family in FAMILIES if isinstance(family, OwnFamily)]
OF_PROCESS = ("process_", "python_")

Change = tuple[OwnFamily, Sequence[str], float]
CHANGES = st.tuples(
    st.sampled_from(OWN), st.lists(st.sampled_from(["production", "test"]), min_size=4), st.floats(0, 10)
)


def change(own: Own, family: OwnFamily, labels: Sequence[str], by: float) -> None:
    metric = {"gauge": own.gauge, "counter": own.counter, "histogram": own.histogram}[family.type](family.name)
    child = metric.labels(*labels[: len(family.labels)]) if family.labels else metric
    getattr(child, {"gauge": "set", "counter": "inc", "histogram": "observe"}[family.type])(by)


def told(own: Own, *, openmetrics: bool) -> list[str]:
    """The lines, without those that change by themselves."""
    lines = text_of(own, openmetrics=openmetrics).splitlines()
    return [line for line in lines if not line.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(OF_PROCESS)]


@given(st.lists(st.one_of(CHANGES, st.booleans(), st.sampled_from(["production", "test"])), max_size=30))
def test_asking_changes_nothing(history: list[Change | bool | str]) -> None:
    asked, unasked = Own(version="1"), Own(version="1")
    for step in history:
        match step:
            case bool():
                text_of(asked, openmetrics=step)
            case str():
                asked.forget_account(step)
                unasked.forget_account(step)
            case (family, labels, by):
                change(asked, family, labels, by)
                change(unasked, family, labels, by)
    for openmetrics in (False, True):
        assert told(asked, openmetrics=openmetrics) == told(unasked, openmetrics=openmetrics)

"""Durations, dates, addresses and paths."""

import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.settings import parse_listen_address, positive_duration
from exporter.settings.durations import duration_s
from tests.unit.settings.configured import ACCOUNT, ACCOUNT_VARIABLES, loaded, mistakes

_UNITS = {"h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000}


def as_go(nanoseconds: int) -> str:
    """What Go's `Duration.String` makes of it: 1h15m30.5s, 1.5ms, 0s."""
    if nanoseconds < _UNITS["s"]:
        for unit, width in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if nanoseconds >= width:
                return f"{nanoseconds // width}{_fraction(nanoseconds % width, width)}{unit}"
        return "0s"
    hours, rest = divmod(nanoseconds, _UNITS["h"])
    minutes, rest = divmod(rest, _UNITS["m"])
    text = f"{rest // _UNITS['s']}{_fraction(rest % _UNITS['s'], _UNITS['s'])}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def _fraction(part: int, width: int) -> str:
    digits = f"{part:0{len(str(width)) - 1}d}".rstrip("0") if part else ""
    return f".{digits}" if digits else ""


@given(st.integers(0, 2**63 - 1))
@example(5_400_000_000_000)
@example(1_500_000)
def test_what_go_writes_is_read(nanoseconds: int) -> None:
    assert math.isclose(duration_s(as_go(nanoseconds)), nanoseconds / 1e9, rel_tol=1e-12, abs_tol=0)


@given(st.floats(0.1, 3e8))
def test_a_number_is_seconds(seconds: float) -> None:
    assert (
        positive_duration(seconds) == positive_duration(f"{seconds!r}s") == positive_duration(str(seconds)) == seconds
    )


@given(st.text() | st.text("0123456789.smhdwyµnu+-e ", max_size=12))
@example("1" * 5_000)
@example("9" * 400 + "h")
@example("1h" * 5_000 + "?")
def test_a_text_is_a_time_within_bounds_or_refused(text: str) -> None:
    try:
        seconds = positive_duration(text)
    except ValueError as error:
        refusal = str(error)
        seconds = None
    if seconds is None:
        assert refusal.startswith(("is not a duration", "is too short", "is too long"))
    else:
        assert 0.1 <= seconds <= 315_360_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("100ms", 0.1),
        ("1h30m", 5_400),
        ("1.5h", 5_400),
        (".5s", 0.5),
        ("5.s", 5),
        ("+5s", 5),
        ("1m1m", 120),
        ("2d", 172_800),
        ("1w", 604_800),
        ("10y", 315_360_000),
        ("300000us", 0.3),
        ("300000\u00b5s", 0.3),
        ("300000\u03bcs", 0.3),
        (" 30s ", 30),
        ("1", 1),
    ],
)
def test_what_is_a_duration(text: str, seconds: float) -> None:
    assert positive_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1h 30m", "1H", "1:30", "1e3", "1_0", "\u0663s", "0x10", "inf", "nan"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a duration"):
        positive_duration(text)


@pytest.mark.parametrize(
    ("told", "at"),
    [
        ("2027-06-01", 1_811_808_000),
        ("20270601", 1_811_808_000),
        ("2027-06-01T02:00:00+02:00", 1_811_808_000),
        ("2027-06-01 00:00:00Z", 1_811_808_000),
        ("2027-06-01T00:00", 1_811_808_000),
        ("1811808000", 1_811_808_000),
        ("1811808000.5", 1_811_808_000.5),
    ],
)
def test_when_a_key_expires(tmp_path: Path, told: str, at: float) -> None:
    text = f"accounts: [{{id: 1, api_key: a-key, api_key_expires: {told}}}]"
    assert loaded(tmp_path / "c.yml", text).accounts[0].api_key_expires == at
    assert loaded(**ACCOUNT_VARIABLES, ACCOUNTS__0__API_KEY_EXPIRES=told).accounts[0].api_key_expires == at


@pytest.mark.parametrize(
    "told", ["soon", "2027-02-30", "1811808000000", "-5", "0", "inf", "nan", "0001-01-01T00:00+10:00", "2027", "true"]
)
def test_what_is_no_date(told: str) -> None:
    assert mistakes(**ACCOUNT_VARIABLES, ACCOUNTS__0__API_KEY_EXPIRES=told) == [
        "accounts.0.api_key_expires (GIGAS_EXPORTER_ACCOUNTS__0__API_KEY_EXPIRES): is not a date; write 2027-06-01"
    ]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":9877", (None, 9877)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("localhost:65535", ("localhost", 65535)),
        ("web-1.example.com:80", ("web-1.example.com", 80)),
        ("[::]:9877", ("::", 9877)),
        ("[fe80::1%eth0]:9877", ("fe80::1%eth0", 9877)),
        (" :9877 ", (None, 9877)),
    ],
)
def test_where_to_listen(text: str, address: tuple[str | None, int]) -> None:
    assert parse_listen_address(text) == address


NO_ADDRESSES = (
    "",
    "9877",
    "::1:9877",
    "[::1]",
    "[::1",
    "[]:1",
    "[zz]:1",
    "http://:9877",
    "*:9877",
    "a b:1",
    "unix:/run/x",
)
NO_PORTS = (":65536", ":x", ":-1", ":9877/", ":\u0663", ":" + "9" * 5_000)


@pytest.mark.parametrize("text", NO_ADDRESSES + NO_PORTS)
def test_where_nobody_can_listen(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not an address to listen on; write :9877"):
        parse_listen_address(text)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9878", "https://api.gigas.com/", "https://[::1]:1/v2", "HTTPS://x.y"]
)
def test_where_the_provider_is(url: str) -> None:
    assert loaded(**ACCOUNT_VARIABLES, API__URL=url).api.url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "api.gigas.com",
        "ftp://x",
        "https://",
        "https://x:0",
        "https://x:99999",
        "https://[::1",
        "https://x y",
        "https://x\ny",
    ],
)
def test_where_no_provider_can_be(url: str) -> None:
    (line,) = mistakes(**ACCOUNT_VARIABLES, API__URL=url)
    assert line == "api.url (GIGAS_EXPORTER_API__URL): is not an address; write https://api.gigas.com"


@pytest.mark.parametrize("url", ["https://x?", "https://x?key=1", "https://x/#"])
def test_an_address_of_the_provider_has_no_query(url: str) -> None:
    (line,) = mistakes(**ACCOUNT_VARIABLES, API__URL=url)
    assert "holds a query or fragment" in line


@pytest.mark.parametrize("path", ["/metrics", "/gigas/metrics", "/metrics/", "/m.e-t_r~ics"])
def test_where_metrics_can_be(path: str) -> None:
    assert loaded(**ACCOUNT_VARIABLES, WEB__TELEMETRY_PATH=path).web.telemetry_path == path


@pytest.mark.parametrize("path", ["/", "metrics", "/a b", "/a?b", "/a#b", "//", "/a//b", "/..", "/a/./b", "/%61", "/é"])
def test_where_metrics_cannot_be(path: str) -> None:
    (line,) = mistakes(**ACCOUNT_VARIABLES, WEB__TELEMETRY_PATH=path)
    assert line.endswith("is not a path for metrics; write /metrics")


@pytest.mark.parametrize("path", ["/-/x", "/-", "/sd", "/status", "/status/"])
def test_metrics_take_no_other_page_s_place(path: str) -> None:
    (line,) = mistakes(**ACCOUNT_VARIABLES, WEB__TELEMETRY_PATH=path)
    assert line.endswith("is the path of another page; write /metrics")


@pytest.mark.parametrize("told", ["True", "true", "1"])
def test_a_filter_by_a_truth_value_is_what_the_provider_writes(told: str) -> None:
    filters = loaded(**ACCOUNT_VARIABLES, ACCOUNTS__0__FILTERS__LOCKED=told, ACCOUNTS__0__FILTERS__LABEL=told)
    assert dict(filters.accounts[0].filters) == {"locked": ("1",), "label": (told,)}


def test_a_number_that_is_too_long_is_no_number(tmp_path: Path) -> None:
    (line,) = mistakes(tmp_path / "c.yml", ACCOUNT + f"api: {{page_size: {'9' * 5_000}}}")
    assert line == "api.page_size (FILE:2): is not a whole number"


@pytest.mark.parametrize("collector", ["cpu", "traffic"])
def test_a_vm_may_be_looked_at_once_in_up_to_three_buckets(collector: str, tmp_path: Path) -> None:
    file = tmp_path / "exporter.yml"
    for every in (1, 2, 3):
        told = f"{ACCOUNT}collect: {{{collector}: {{every_buckets: {every}}}}}\n"
        assert getattr(loaded(file, told).collect, collector).every_buckets == every
    assert getattr(loaded(file, ACCOUNT).collect, collector).every_buckets == 1
    for every in (0, 4):
        (mistake,) = mistakes(file, f"{ACCOUNT}collect: {{{collector}: {{every_buckets: {every}}}}}\n")
        assert mistake.startswith(f"collect.{collector}.every_buckets (FILE:2)")

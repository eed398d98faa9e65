"""When to ask again."""

import pytest

from exporter.gigas.retry import backoff_s, http_date, retry_after_s

_NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("3600", 60),
        ("9" * 400, 60),
        ("Sun, 06 Nov 1994 08:49:57 GMT", 20),
        ("Sunday, 06-Nov-94 08:49:57 GMT", 20),
        ("Sun Nov  6 08:49:57 1994", 20),
        ("Sun, 06 Nov 1994 08:49:07 GMT", 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 60),
        ("Sun, 99 Nov 1994 08:49:57 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_more_than_a_minute(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after_s(header, now_at=_NOW) == seconds


@pytest.mark.parametrize("header", [None, "", "0", "Mon", "Thu, 01 Jan 99999 00:00:00 GMT", "\x00" * 50])
def test_what_is_no_date_is_none(header: str | None) -> None:
    assert http_date(header) is None


@pytest.mark.parametrize(("attempt", "longest_s"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (2000, 30)])
def test_waits_double_with_full_jitter_up_to_a_ceiling(attempt: int, longest_s: float) -> None:
    assert backoff_s(attempt, chance=0.0) == 0
    assert backoff_s(attempt, chance=0.5) == longest_s / 2
    assert backoff_s(attempt, chance=1.0) == longest_s

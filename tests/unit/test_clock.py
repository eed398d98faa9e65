"""What of the clock is the process' own."""

import sys

from exporter.clock import take_short_turns


def test_threads_take_turns_of_a_millisecond() -> None:
    before_s = sys.getswitchinterval()
    try:
        take_short_turns()
        assert sys.getswitchinterval() == 0.001
    finally:
        sys.setswitchinterval(before_s)

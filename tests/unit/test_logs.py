"""One line an event, whatever is in it; no secret in any; what lasts is said when it begins, changes and ends."""

import io
import json
import logging
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs import Lasting, Redactor, configure, redactor

SECRET = 'pa"ss\\wörd &=/'
FORMS = ("logfmt", "json")
PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?: |$)')


@dataclass
class Log:
    """What was written, read back."""

    form: str
    stream: io.StringIO = field(default_factory=io.StringIO)

    def lines(self) -> list[str]:
        text = self.stream.getvalue()
        assert not text or text.endswith("\n")
        return text.split("\n")[:-1]

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) if self.form == "json" else of_logfmt(line) for line in self.lines()]

    def event(self) -> dict[str, Any]:
        (event,) = self.events()
        return event


def of_logfmt(line: str) -> dict[str, Any]:
    """Read a line as others would: values bare, or quoted as JSON quotes them."""
    pairs = list(PAIR.finditer(line))
    assert "".join(pair[0] for pair in pairs) == line, line
    return {pair[1]: json.loads(pair[2]) if pair[2].startswith('"') else pair[2] for pair in pairs}


def log_to(form: str, level: str = "debug") -> Log:
    log = Log(form)
    configure(level, form, stream=log.stream)
    return log


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """Leave no handler and no secret behind."""
    root, level = list(logging.getLogger().handlers), logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = root
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()
    redactor._secrets = ()


@pytest.mark.parametrize("form", FORMS)
def test_an_event_is_a_phrase_with_fields(form: str) -> None:
    log = log_to(form)
    structlog.get_logger("gigas-exporter").info("listening", addresses="http://127.0.0.1:9877", accounts=2)
    event = log.event()
    assert list(event) == ["ts", "level", "msg", "addresses", "accounts"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event.pop("ts"))
    assert {name: str(value) for name, value in event.items()} == {
        "level": "info",
        "msg": "listening",
        "addresses": "http://127.0.0.1:9877",
        "accounts": "2",
    }


def test_how_values_are_written() -> None:
    logfmt, values = (
        log_to("logfmt"),
        {"a": True, "b": None, "c": 1.23456, "d": 7, "e": float("inf"), "f": "", "g": ["x"]},
    )
    structlog.get_logger().info("values", **values)
    assert logfmt.lines()[0].partition("msg=values ")[2] == "a=true b= c=1.235 d=7 e=inf f=\"\" g=['x']"
    as_json = log_to("json")
    structlog.get_logger().info("values", **values)
    event = as_json.event()
    assert [event[name] for name in "abcdefg"] == [True, None, 1.235, 7, "inf", "", "['x']"]


@pytest.mark.parametrize("form", FORMS)
@given(
    text=st.text()
    | st.sampled_from(["two\nlines", "\r\n", 'say "no"', "back\\", "a=b", "🦆", "\u2028", "\x1b[31m", ""])
)
def test_whatever_is_in_an_event_is_one_line_and_can_be_read_back(form: str, text: str) -> None:
    log = log_to(form)
    structlog.get_logger().info("vm renamed", new=text)
    logging.getLogger("a.library").warning("%s", text)
    first, second = log.events()
    assert (first["new"], second["msg"]) == (text, text)
    if form == "logfmt":
        assert all(line.isprintable() for line in log.lines())


@pytest.mark.parametrize("form", FORMS)
def test_a_traceback_is_one_line(form: str) -> None:
    log = log_to(form)
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        structlog.get_logger().error("internal error", exc_info=error)
        logging.getLogger("asyncio").exception("Task exception was never retrieved")
        expected = "".join(traceback.format_exception(error)).rstrip("\n")
    assert [event["exception"] for event in log.events()] == [expected, expected]


@pytest.mark.parametrize("form", FORMS)
def test_what_libraries_log_goes_the_same_way(form: str) -> None:
    log = log_to(form)
    logging.getLogger("aiohttp.server").error("Error handling %s", "request", stack_info=True)
    event = log.event()
    assert (event["level"], event["msg"]) == ("error", "Error handling request")
    assert "test_what_libraries_log" in event["stack_info"]


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("debug", ["debug", "info", "warn", "error"]),
        ("info", ["info", "warn", "error"]),
        ("warn", ["warn", "error"]),
        ("error", ["error"]),
    ],
)
def test_only_events_of_the_level_and_above_are_said(level: str, said: list[str]) -> None:
    log = log_to("logfmt", level)
    for each in ("debug", "info", "warning", "error"):
        getattr(structlog.get_logger(), each)("ours")
        getattr(logging.getLogger("a.library"), each)("theirs")
    assert [event["level"] for event in log.events()] == [each for each in said for _ in range(2)]


def test_runs_of_jobs_are_no_news() -> None:
    log = log_to("logfmt", "debug")
    logging.getLogger("apscheduler.executors.default").info("Running job")
    assert not log.lines()


def test_to_configure_anew_replaces_what_was() -> None:
    before, log = log_to("logfmt"), log_to("json")
    structlog.get_logger().info("listening")
    assert (before.lines(), len(log.events())) == ([], 1)


class Odd:
    """Shows what it holds, as some errors of libraries do."""

    def __repr__(self) -> str:
        return f"<Odd {SECRET!r}>"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"Bearer {SECRET}, {SECRET}",
        [SECRET],
        {"password": SECRET},
        Odd(),
        ValueError(SECRET),
        json.dumps({"password": SECRET}),
        urlencode({"password": SECRET}),
        f"/token?password={urlencode({'': SECRET})[1:].replace('+', '%20')}",
        SECRET.encode().decode(),
    ],
)
def test_a_secret_is_hidden_however_it_is_logged(form: str, level: str, value: object) -> None:
    log = log_to(form)
    redactor.hide([SECRET])
    getattr(structlog.get_logger(), level)(f"asked with {value}", header=value)
    getattr(logging.getLogger("a.library"), level)("asked with %s", value)
    for event in log.events():
        said = " ".join(map(str, event.values()))
        assert "<secret>" in said
        assert "ss\\" not in said
        assert "wörd" not in said
        assert "w%C3%B6rd" not in said
        assert "w\\u00f6rd" not in said


def refused() -> None:
    raise ValueError("hunter2")


def logged_in() -> None:
    try:
        refused()
    except ValueError as error:
        raise RuntimeError("cannot log in with hunter2") from error


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_hidden_in_a_traceback(form: str) -> None:
    log = log_to(form)
    redactor.hide(["hunter2"])
    try:
        logged_in()
    except RuntimeError as error:
        structlog.get_logger().error("internal error", exc_info=error)
        logging.getLogger("asyncio").exception("hunter2", stack_info=True)
    first, second = log.events()
    assert "hunter2" not in "".join(log.lines())
    assert "cannot log in with <secret>" in first["exception"]
    assert second["msg"] == "<secret>"


def test_secrets_stay_hidden_when_others_are_added() -> None:
    redact = Redactor()
    redact.hide(["first-secret"])
    redact.hide(["second-secret", "second-secret-and-more"])
    event = redact(None, "", {"a": "first-secret second-secret-and-more second-secret", "b": 1})
    assert event == {"a": "<secret> <secret> <secret>", "b": 1}


def test_what_is_too_short_to_be_a_secret_is_no_reason_to_spoil_words() -> None:
    redact = Redactor()
    redact.hide(["", "a", "the"])
    assert redact(None, "", {"a": "the fleet"}) == {"a": "the fleet"}


def test_a_failure_that_lasts_is_news_when_it_begins_and_changes() -> None:
    lasting = Lasting()
    causes = ["timeout", "timeout", "HTTP 503", "HTTP 503", "timeout"]
    assert [lasting.failed("production", "cpu", cause=cause) for cause in causes] == [True, False, True, False, True]
    assert lasting.failed("production", "traffic", cause="timeout")


def test_the_end_of_a_failure_tells_how_many_there_were() -> None:
    lasting = Lasting()
    for _ in range(3):
        lasting.failed("production", "cpu", cause="timeout")
    assert [lasting.ended("production", "cpu"), lasting.ended("production", "cpu")] == [3, 0]
    assert lasting.failed("production", "cpu", cause="timeout")
    assert lasting.ended("production", "cpu") == 1


def test_failures_of_an_account_that_is_gone_are_forgotten() -> None:
    lasting = Lasting()
    for account in ("production", "test"):
        lasting.failed(account, "cpu", cause="timeout")
    lasting.forget("test")
    assert lasting.ended("test", "cpu") == 0
    assert not lasting.failed("production", "cpu", cause="timeout")

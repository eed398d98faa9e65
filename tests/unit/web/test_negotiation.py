"""Which format and encoding a scrape is answered in: what real clients send, and what the rules of HTTP say."""

import pytest

from exporter.web.scrape import accepts_gzip, prefers_openmetrics

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," + PROMETHEUS_3
)
TEXT_FIRST = "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

OPENMETRICS = [
    PROMETHEUS_2_42,
    PROMETHEUS_3,
    PROTOBUF_FIRST,
    "application/openmetrics-text",
    "application/openmetrics-text; version=1.0.0; charset=utf-8",
    'Application/OpenMetrics-Text; Version="1.0.0"',
    "application/openmetrics-text,*/*",
    "text/plain;version=0.0.4;q=0.2,application/openmetrics-text;q=0.3",
    "text/plain;version=1.0.0;q=0.9,application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2",
]
TEXT = [
    "",
    "*/*",
    "text/plain",
    TEXT_FIRST,
    BROWSER,
    "application/openmetrics-text;version=0.0.1",
    "application/openmetrics-text;version=2.0.0",
    "application/openmetrics-text;q=0",
    "application/openmetrics-text;q=0.1,*/*;q=0.2",
    "application/openmetrics-text;q=0.1,text/*",
    "application/openmetrics-text;q=nonsense",
    "application/openmetrics-text;q=nan",
    "application/vnd.google.protobuf;q=1",
    "application/json",
    ",;,=;;q",
]


@pytest.mark.parametrize("accept", OPENMETRICS)
def test_openmetrics_is_written_for_who_prefers_it(accept: str) -> None:
    assert prefers_openmetrics(accept)


@pytest.mark.parametrize("accept", TEXT)
def test_text_is_written_for_everyone_else(accept: str) -> None:
    assert not prefers_openmetrics(accept)


@pytest.mark.parametrize(
    "header", ["gzip", "gzip, deflate, br", "br;q=1.0, GZIP;q=0.8, *;q=0.1", "deflate,gzip;q=0.001"]
)
def test_gzip_is_written_for_who_accepts_it(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize("header", ["", "identity", "br", "gzip;q=0", "gzip;q=0.0, identity", "*", "gzip;q=x"])
def test_nothing_is_compressed_for_everyone_else(header: str) -> None:
    assert not accepts_gzip(header)

"""One-time codes."""

import pytest

from exporter.gigas.totp import one_time_code

_SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238's "12345678901234567890".


@pytest.mark.parametrize(
    ("now_at", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (2e10, "353130")],
)
def test_codes_are_those_of_rfc_6238(now_at: float, code: str) -> None:
    assert one_time_code(_SEED, now_at=now_at) == code
    assert one_time_code("gezd gnbv gy3t qojq gezd gnbv gy3t qojq", now_at=now_at) == code


@pytest.mark.parametrize("code", ["123456", "12345678"])
def test_a_code_is_sent_as_it_is(code: str) -> None:
    assert one_time_code(code, now_at=0) == code


@pytest.mark.parametrize("secret", ["", "!", "1890", "12345"])
def test_what_is_neither_is_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^neither a code of digits nor a key in base32$"):
        one_time_code(secret, now_at=0)

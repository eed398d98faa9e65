"""One-time codes (RFC 6238) as authenticator apps make them: SHA-1, six digits, every 30 seconds."""

import base64
import binascii
import hmac

__all__ = ["one_time_code"]

_STEP_S = 30
_DIGITS = 6
_CODE_LENGTHS = range(6, 9)


def one_time_code(secret: str, *, now_at: float) -> str:
    """Return the code for now. A secret that is a code itself is returned as it is. Raises ValueError."""
    text = secret.replace(" ", "")
    if text.isdecimal() and len(text) in _CODE_LENGTHS:
        return text
    counter = int(now_at // _STEP_S).to_bytes(8, "big")
    digest = hmac.digest(_key(text), counter, "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**_DIGITS).zfill(_DIGITS)


def _key(text: str) -> bytes:
    try:
        key = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("neither a code of digits nor a key in base32")
    return key

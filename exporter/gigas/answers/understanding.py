"""Validation whose complaints never quote what was received: it may be a password or a token."""

import json
import math
from typing import Annotated, Any, TypeVar

from msgspec import Meta, MsgspecError
from msgspec.json import Decoder
from pydantic import TypeAdapter, ValidationError

__all__ = ["NotUnderstood", "Number", "decoded", "is_encodable", "loads", "number", "text", "truth", "validated"]

T = TypeVar("T")

_LARGEST_NUMBER = 1e15
"""No time of this side of the year 30 million, and no count, is larger."""

Number = Annotated[float, Meta(ge=0, le=_LARGEST_NUMBER)]
"""What `number` takes, where it is written as one."""


class NotUnderstood(Exception):
    """An answer is not the document that it should be. The text says which field, and what kind of mistake."""


def validated(adapter: TypeAdapter[T], body: bytes) -> T:
    """Validate straight from bytes. Raises NotUnderstood."""
    try:
        return adapter.validate_json(body)
    except ValidationError as error:
        reason = _complaint(error)
    # Out here, so that pydantic's error, which quotes the answer, is not even its context.
    raise NotUnderstood(reason)


def _complaint(error: ValidationError) -> str:
    """The first mistake: `field.path: type of mistake`. For models without free keys: keys could be anything."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(map(str, first["loc"]))
    return f"{path}: {first['type']}" if path else str(first["type"])


def decoded(decoder: Decoder[T], body: bytes) -> T | None:
    """What the decoder makes of it; None where it is not of that shape, whatever is wrong with it. What it skips, since
    nobody asked for it, need not even be text.
    """
    try:
        return decoder.decode(body)
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def loads(body: bytes) -> Any:
    """Parse without a model. Raises NotUnderstood."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pass
    raise NotUnderstood("json_invalid")


def text(value: object) -> str | None:
    """A text, or a whole number as text: ids are strings in one document and numbers in another."""
    if isinstance(value, str):
        return value if is_encodable(value) else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def truth(value: object) -> bool | None:
    """A boolean, as the provider writes it in one place or another."""
    if isinstance(value, str):
        return _WORDS.get(value.lower())
    return bool(value) if isinstance(value, bool | int | float) and value in (0, 1) else None


def number(value: object) -> float | None:
    """A time or a span: a number that is not negative, also as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) and 0 <= read <= _LARGEST_NUMBER else None


def is_encodable(value: str) -> bool:
    """Half a surrogate pair is valid JSON and cannot be written anywhere."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True

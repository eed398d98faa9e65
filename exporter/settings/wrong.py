"""pydantic's mistakes in our words: its own text quotes the input."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["no_such_setting", "sentence"]

_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is missing",
    "literal_error": lambda context: f"is none of {context.get('expected', 'the known values')}",
    "int_parsing": lambda _: "is not a whole number",
    "int_parsing_size": lambda _: "is not a whole number",
    "int_type": lambda _: "is not a whole number",
    "int_from_float": lambda _: "is not a whole number",
    "float_parsing": lambda _: "is not a number",
    "float_type": lambda _: "is not a number",
    "finite_number": lambda _: "is not a number",
    "bool_parsing": lambda _: "is neither true nor false",
    "bool_type": lambda _: "is neither true nor false",
    "string_type": lambda _: "is not text",
    "greater_than_equal": lambda context: f"is too small; at least {context['ge']:g}",
    "less_than_equal": lambda context: f"is too large; at most {context['le']:g}",
    "model_type": lambda _: "is not a mapping of settings",
    "dict_type": lambda _: "is not a mapping",
    "mapping_type": lambda _: "is not a mapping",  # As earlier pydantic calls it.
    "tuple_type": lambda _: "is not a list; in a variable write JSON, or one variable for each value",
}


def sentence(mistake: Mapping[str, Any]) -> str:
    """What is wrong, and where it can be said, what would be right. The input is never quoted."""
    kind, context = str(mistake["type"]), mistake.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    say = _SENTENCES.get(kind)
    return say(context) if say is not None else "is not what is expected here"


def no_such_setting(name: str, known: Iterable[str], *, prefix: str = "") -> str:
    """What to say of a name that is unknown, and which one was perhaps meant. `prefix` belongs before each of them."""
    near = difflib.get_close_matches(name, list(known), 1)
    return "no such setting" + (f"; did you mean {prefix}{near[0]}?" if near else "")

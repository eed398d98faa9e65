"""pydantic's mistakes in our words: its own text quotes the input."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["sentence"]

_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is missing",
    "literal_error": lambda context: f"is none of {context.get('expected', 'the known values')}",
    "int_parsing": lambda _: "is not a whole number",
    "int_type": lambda _: "is not a whole number",
    "int_from_float": lambda _: "is not a whole number",
    "float_parsing": lambda _: "is not a number",
    "float_type": lambda _: "is not a number",
    "finite_number": lambda _: "is not a number",
    "bool_parsing": lambda _: "is neither true nor false",
    "bool_type": lambda _: "is neither true nor false",
    "string_type": lambda _: "is not text",
    "greater_than_equal": lambda context: f"is too small; at least {context.get('ge')}",
    "less_than_equal": lambda context: f"is too large; at most {context.get('le')}",
    "model_type": lambda _: "is not a mapping of settings",
    "model_attributes_type": lambda _: "is not a mapping of settings",
    "mapping_type": lambda _: "is not a mapping",
    "dict_type": lambda _: "is not a mapping",
    "tuple_type": lambda _: "is not a list; in a variable write JSON, or one variable for each value",
    "path_type": lambda _: "is not a file's name",
}


def sentence(mistake: Mapping[str, Any], path: tuple[str, ...], neighbours: Iterable[str]) -> str:
    """What is wrong, and where it can be said, what would be right. The input is never quoted."""
    kind, context = str(mistake["type"]), mistake.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(path[-1], list(neighbours), 1)
        return "no such setting" + (f"; did you mean {near[0]}?" if near else "")
    say = _SENTENCES.get(kind)
    return say(context) if say is not None else "is not what is expected here"

"""The settings as rows: for flags, for error lines, and for the page of reference."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from exporter.settings.model import PREFIX, AccountSettings, Settings

__all__ = ["FLAGS", "Row", "documented"]


@dataclass(frozen=True, slots=True)
class Row:
    """One setting. `key` is its path in the file; accounts have no flag ("")."""

    key: str
    kind: str
    default: str
    help: str
    flag: str
    variable: str
    choices: tuple[str, ...] = ()
    repeatable: bool = False
    switch: bool = False


def documented() -> tuple[Row, ...]:
    """Every setting, those of an account as of `accounts.0`."""
    return (*_rows(AccountSettings, "accounts.0"), *_rows(Settings, ""))


def _rows(model: type[BaseModel], prefix: str) -> Iterator[Row]:
    for name, field in model.model_fields.items():
        if name == "accounts":
            continue
        key = f"{prefix}.{field.alias or name}".lstrip(".")
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from _rows(annotation, key)
        else:
            yield _row(key, name, field)


def _row(key: str, name: str, field: FieldInfo) -> Row:
    annotation = field.annotation
    choices = tuple(map(str, get_args(annotation))) if get_origin(annotation) is Literal else ()
    repeatable = get_origin(annotation) is tuple
    in_account = key.startswith("accounts.")
    return Row(
        key=key,
        kind=_kind(name, field, choices, repeatable=repeatable),
        default=_default(name, field),
        help=field.description or "",
        flag="" if in_account else _flag(key, field),
        variable=PREFIX + key.upper().replace(".", "__"),
        choices=choices,
        repeatable=repeatable,
        switch=annotation is bool,
    )


def _flag(key: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    own = extra.get("flag") if isinstance(extra, dict) else None
    return str(own) if own else "--" + key.replace("_", "-")


def _kind(name: str, field: FieldInfo, choices: tuple[str, ...], *, repeatable: bool) -> str:
    if choices or repeatable:
        return " or ".join(choices) or "list"
    if name.endswith("_s"):
        return "duration"
    if name.endswith("_file"):
        return "file"
    named = {"api_key_expires": "date", "filters": "mapping", "labels": "mapping", "path": "file"}
    named |= dict.fromkeys(("api_key", "password", "totp"), "secret")
    kinds = {bool: "true or false", int: "number", float: "number"}
    kind = kinds.get(field.annotation, "text") if isinstance(field.annotation, type) else "text"
    return named.get(name, kind)


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default in (None, "", {}, ()):
        return ""
    if isinstance(default, tuple):
        return ", ".join(map(str, default))
    if name.endswith("_s"):
        return _duration(default)
    return (
        f"{default:g}" if isinstance(default, float) else str(default).lower() if isinstance(default, bool) else default
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:g}m" if minutes > 1 and not rest else f"{seconds:g}s"


FLAGS: Mapping[str, Row] = MappingProxyType({row.flag: row for row in documented() if row.flag})

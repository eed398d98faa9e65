"""Variables of our prefix: nested names are joined by two underscores, lists are JSON or have an index in the name."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from exporter.settings.layers import INDEX, Keys
from exporter.settings.model import PREFIX, Settings
from exporter.settings.problems import Problem
from exporter.settings.reference import documented
from exporter.settings.wrong import no_such_setting

__all__ = ["CONFIG_VARIABLES", "our_variables", "values_of"]

CONFIG_VARIABLES = (f"{PREFIX}CONFIG_FILE", f"{PREFIX}CONFIG__FILE")
"""`--config.file` is the one setting that the file itself cannot hold."""

_KNOWN = ("CONFIG_FILE", *(row.variable.removeprefix(PREFIX) for row in documented()))
_SERVICE = re.compile(r"([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)")
_SERVICE_PORT = re.compile(r"([A-Z0-9_]+_)?PORT")
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://")


def our_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Those that are meant for us, in any case of letters; what is laid last counts."""
    names = (name for name in environ if name.upper().startswith(PREFIX))
    # A whole comes before its parts, whose names begin with its own; of two spellings, that in capitals comes last.
    ordered = sorted(names, key=lambda name: (name.upper(), name == name.upper()))
    return {name: environ[name] for name in ordered if not _is_of_a_service(name, environ[name])}


def values_of(variables: Mapping[str, str]) -> Iterator[tuple[str, str, Any] | Problem]:
    """Yield each variable's name, section and value, or what is wrong with it. An empty one is as good as absent."""
    for name, text in variables.items():
        if name.upper() in CONFIG_VARIABLES:
            continue
        section, *inside = name[len(PREFIX) :].lower().split("__")
        if section not in Settings.model_fields:
            yield Problem("", name, no_such_setting(name[len(PREFIX) :].upper(), _KNOWN, prefix=PREFIX))
        elif section == "accounts" and inside and not INDEX.fullmatch(inside[0]):
            yield Problem("", name, f"has no index; write {PREFIX}ACCOUNTS__0__ID")
        elif text:
            yield name, section, _with_lists(_Variable(name, text)()[section], (section,))


class _Variable(EnvSettingsSource):
    """pydantic-settings' reading of one variable: keys from its name, lists and mappings from JSON.

    One at a time, since of all at once nobody can tell which variable a value came from.
    """

    def __init__(self, name: str, text: str) -> None:
        self._one = {name.lower(): text}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._one

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ARG002 - theirs
        return _decoded(value)


def _with_lists(value: Any, path: Keys) -> Any:
    """Decode what pydantic-settings does not: it sees no fields in a list of accounts."""
    if isinstance(value, dict):
        return {key: _with_lists(part, (*path, key)) for key, part in value.items()}
    match path:
        case ("accounts", _) | ("accounts", _, "labels") | ("accounts", _, "filters") | ("accounts", _, "filters", _):
            return _decoded(value)
        case _:
            return value


def _decoded(value: Any) -> Any:
    """JSON's lists and mappings. Other text stays text: whether it will do is for the model to say, in our words."""
    if not isinstance(value, str) or value.lstrip()[:1] not in {"[", "{"}:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _is_of_a_service(name: str, text: str) -> bool:
    """Whether Kubernetes set it: beside a Service named gigas-exporter a pod has GIGAS_EXPORTER_PORT, and more."""
    rest = name.removeprefix(PREFIX)
    if "__" in rest:
        return False
    return bool(_SERVICE.fullmatch(rest) or (_SERVICE_PORT.fullmatch(rest) and _SERVICE_URL.match(text)))

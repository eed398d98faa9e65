"""Whatever a file, variables and flags hold: settings, or mistakes in lines that quote no secret."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.settings import FLAGS, ConfigurationError, documented, load
from tests.unit.settings.configured import SECRET

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.binary(max_size=5)
    | st.text(max_size=10)
    | st.sampled_from([SECRET, "30s", ":9877", "[", "{}", "online", "/nonexistent", "1", "0", "true", "oidc"])
)
_KEYS = st.sampled_from(
    sorted({part for row in documented() for part in row.key.split(".")} | {"accounts", "_env_file"})
)
_ANYTHING = st.recursive(
    _SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=5), below, max_size=4),
    max_leaves=10,
)
_NAMES = _SCALARS.filter(lambda value: value != SECRET)
"""Which two accounts have in common is said."""
_SECRETS = st.fixed_dictionaries({"id": _NAMES}, optional={"api_key": st.just(SECRET), "password": st.just(SECRET)})
_ACCOUNTS = st.lists(
    _SECRETS | st.builds(dict.__or__, _SECRETS, st.dictionaries(_KEYS, _ANYTHING, max_size=3)), max_size=3
)
_DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={"accounts": _ACCOUNTS | _ANYTHING}
    | dict.fromkeys(("api", "collect", "state", "web", "log", "shard", "unknown"), _ANYTHING),
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings") / "c.yml"


def checked(**sources: Any) -> None:
    """Load; what is wrong must be said, each mistake on a line, without what a secret's value holds."""
    wrong, settings = None, None
    try:
        settings = load(**({"flags": {}, "environ": {}, "file": None} | sources))
    except ConfigurationError as error:
        wrong = error
    assert SECRET not in f"{wrong!r} {wrong}"
    for account in settings.accounts if settings is not None else ():  # A name may be whatever it likes.
        assert SECRET not in f"{account.api_key!r} {account.password!r} {account.totp!r} {account.secret()!r}"
    if wrong is not None:
        assert len(wrong.problems) == len(str(wrong).splitlines())
        assert all(problem.message and problem.source for problem in wrong.problems)
        assert wrong.__context__ is None  # What pydantic says quotes the input.


def without_secret_elsewhere(value: Any) -> Any:
    """The secret as a value only: as a key, nobody can know that it is one."""
    if isinstance(value, dict):
        return {key: without_secret_elsewhere(part) for key, part in value.items() if SECRET not in str(key)}
    return [without_secret_elsewhere(part) for part in value] if isinstance(value, list) else value


def paths(value: Any, above: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from paths(part, f"{above}__{key}" if above else str(key))
    elif above:
        yield above.upper(), value if isinstance(value, str) else json.dumps(value, default=str)


@given(document=_DOCUMENTS | _ANYTHING)
def test_any_document_is_settings_or_mistakes(document: Any, file: Path) -> None:
    file.write_text(yaml.safe_dump(without_secret_elsewhere(document)), errors="ignore")
    checked(file=file)


@given(text=st.text() | st.text("accounts:[{}]-&*!|>'\"\n #?%@,ab\t", max_size=40))
def test_any_text_is_settings_or_mistakes(text: str, file: Path) -> None:
    file.write_text(text, errors="ignore")
    checked(file=file)


@given(content=st.binary())
def test_any_bytes_are_settings_or_mistakes(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    checked(file=file)


@given(document=_DOCUMENTS)
def test_any_variables_are_settings_or_mistakes(document: dict[str, Any]) -> None:
    checked(environ={f"GIGAS_EXPORTER_{name}": text for name, text in paths(without_secret_elsewhere(document))})


@given(name=st.text("ACOUNTSPILGE_019 ", max_size=20), text=st.text(max_size=10))
def test_any_variable_is_a_setting_or_a_mistake(name: str, text: str) -> None:
    checked(environ={f"GIGAS_EXPORTER_{name}": text, "GIGAS_EXPORTER_ACCOUNTS__0__API_KEY": SECRET})


@given(flags=st.dictionaries(st.sampled_from([row.key for row in FLAGS.values()]), st.text(max_size=8)))
def test_any_flags_are_settings_or_mistakes(flags: dict[str, str]) -> None:
    checked(flags=flags)

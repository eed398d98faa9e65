"""Variables: names, lists, and what is not meant for us."""

from pathlib import Path

import pytest

from exporter.settings import load
from tests.unit.settings.configured import ACCOUNT_VARIABLES, SECRET, loaded, mistakes


def test_one_account_needs_no_file() -> None:
    settings = loaded(**ACCOUNT_VARIABLES, API__URL="http://127.0.0.1:9878")
    assert [(account.id, account.name) for account in settings.accounts] == [("17893", "17893")]
    assert settings.accounts[0].secret().read() == SECRET
    assert settings.api.url == "http://127.0.0.1:9878"


@pytest.mark.parametrize(
    "variables",
    [
        {"WEB__LISTEN_ADDRESS": '[":1", ":2"]'},
        {"WEB__LISTEN_ADDRESS__0": ":1", "WEB__LISTEN_ADDRESS__1": ":2"},
        {"WEB__LISTEN_ADDRESS__3": ":1", "WEB__LISTEN_ADDRESS__10": ":2"},
        {"WEB": '{"listen_address": [":1", ":2"]}'},
        {"web__Listen_Address": '[":1", ":2"]'},
    ],
)
def test_a_list_is_json_or_has_indexes(variables: dict[str, str]) -> None:
    assert loaded(**ACCOUNT_VARIABLES, **variables).web.listen_address == (":1", ":2")


def test_a_part_counts_before_the_whole() -> None:
    for variables in (
        {"API": '{"page_size": 1}', "API__PAGE_SIZE": "2"},
        {"API__PAGE_SIZE": "2", "API": '{"page_size": 1}'},
    ):
        assert loaded(**ACCOUNT_VARIABLES, **variables).api.page_size == 2


def test_one_address_that_begins_like_json_is_an_address() -> None:
    assert loaded(**ACCOUNT_VARIABLES, WEB__LISTEN_ADDRESS="[::1]:9877").web.listen_address == ("[::1]:9877",)


@pytest.mark.parametrize(
    "variables",
    [
        {"ACCOUNTS": f'[{{"id": 17893, "api_key": "{SECRET}", "filters": {{"status": ["a", "b"]}}}}]'},
        {"ACCOUNTS__0": f'{{"id": "17893", "api_key": "{SECRET}", "filters": {{"status": ["a", "b"]}}}}'},
        {"ACCOUNTS__0__FILTERS": '{"status": ["a", "b"]}', **ACCOUNT_VARIABLES},
        {"ACCOUNTS__0__FILTERS__STATUS": '["a", "b"]', **ACCOUNT_VARIABLES},
        {"ACCOUNTS__0__FILTERS__STATUS__0": "a", "ACCOUNTS__0__FILTERS__STATUS__1": "b", **ACCOUNT_VARIABLES},
    ],
)
def test_what_is_in_an_account_is_json_or_has_keys(variables: dict[str, str]) -> None:
    account = loaded(**variables).accounts[0]
    assert (account.id, account.secret().read(), account.filters["status"]) == ("17893", SECRET, ("a", "b"))


@pytest.mark.parametrize("text", ['{"a": 1}', "[1]", "0123", "null", "true", '"quoted"', "%41$HOME", "a b"])
def test_a_secret_is_taken_as_it_is(text: str) -> None:
    account = loaded(ACCOUNTS__0__ID="1", ACCOUNTS__0__API_KEY=text).accounts[0]
    assert account.secret().read() == text


def test_a_label_is_taken_as_it_is_and_its_name_in_small_letters() -> None:
    account = loaded(**ACCOUNT_VARIABLES, ACCOUNTS__0__LABELS__TEAM='["Web"]').accounts[0]
    assert dict(account.labels) == {"team": '["Web"]'}


@pytest.mark.parametrize("told", ["true", "TRUE", "1", "yes", "On"])
def test_what_means_true(told: str) -> None:
    assert loaded(**ACCOUNT_VARIABLES, STATE__WAIT=told).state.wait


@pytest.mark.parametrize("told", ["false", "False", "0", "no", "OFF"])
def test_what_means_false(told: str) -> None:
    assert not loaded(**ACCOUNT_VARIABLES, STATE__WAIT=told).state.wait


def test_an_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    names = ("CONFIG_FILE", "API__URL", "API__PAGE_SIZE", "WEB__LISTEN_ADDRESS", "STATE__WAIT", "ACCOUNTS__0__NAME")
    assert loaded(**ACCOUNT_VARIABLES, **dict.fromkeys(names, "")) == loaded(**ACCOUNT_VARIABLES)
    text = "accounts: [{id: 1, api_key: a-key}]"
    assert loaded(tmp_path / "c.yml", text, ACCOUNTS__0__API_KEY="").accounts[0].secret().read() == "a-key"
    assert mistakes(ACCOUNTS__0__ID="1", ACCOUNTS__0__API_KEY="") == [
        "accounts.0 (GIGAS_EXPORTER_ACCOUNTS__0__ID): needs one of api_key, api_key_file, password, password_file"
    ]


@pytest.mark.parametrize("name", ["CONFIG_FILE", "CONFIG__FILE", "config_file"])
def test_the_file_can_be_named_by_a_variable(tmp_path: Path, name: str) -> None:
    file = tmp_path / "c.yml"
    file.write_text("accounts: [{id: 5, api_key: a-key}]")
    assert loaded(**{name: str(file)}).accounts[0].id == "5"


def test_of_two_spellings_of_a_name_that_in_capitals_counts() -> None:
    for variables in ({"api__page_size": "1", "API__PAGE_SIZE": "2"}, {"API__PAGE_SIZE": "2", "api__page_size": "1"}):
        assert loaded(**ACCOUNT_VARIABLES, **variables).api.page_size == 2


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("LOG_LEVEL", "no such setting; did you mean GIGAS_EXPORTER_LOG__LEVEL?"),
        ("ACCOUNT__0__ID", "no such setting; did you mean GIGAS_EXPORTER_ACCOUNTS__0__ID?"),
        ("API_URL", "no such setting; did you mean GIGAS_EXPORTER_API__URL?"),
        ("CONFIGFILE", "no such setting; did you mean GIGAS_EXPORTER_CONFIG_FILE?"),
        ("XYZZY", "no such setting"),
        ("PORT", "no such setting"),
        ("ACCOUNTS__ID", "has no index; write GIGAS_EXPORTER_ACCOUNTS__0__ID"),
        ("ACCOUNTS__01__ID", "has no index; write GIGAS_EXPORTER_ACCOUNTS__0__ID"),
        ("ACCOUNTS__²__ID", "has no index; write GIGAS_EXPORTER_ACCOUNTS__0__ID"),
    ],
)
def test_an_unknown_variable_is_refused(name: str, line: str) -> None:
    assert mistakes(**ACCOUNT_VARIABLES, **{name: "9"}) == [f"GIGAS_EXPORTER_{name}: {line}"]


def test_an_unknown_part_of_a_variable_is_refused_by_its_setting() -> None:
    assert mistakes(**ACCOUNT_VARIABLES, API__URLL="x", ACCOUNTS__0__APIKEY=SECRET) == [
        "accounts.0.apikey (GIGAS_EXPORTER_ACCOUNTS__0__APIKEY): no such setting; did you mean api_key?",
        "api.urll (GIGAS_EXPORTER_API__URLL): no such setting; did you mean url?",
    ]


@pytest.mark.parametrize(
    ("section", "text", "line"),
    [
        ("API", '{"page_size": 1.5}', "api.page_size (GIGAS_EXPORTER_API): is not a whole number"),
        ("API", '{"page_size": []}', "api.page_size (GIGAS_EXPORTER_API): is not a whole number"),
        ("API", '{"requests_per_second": []}', "api.requests_per_second (GIGAS_EXPORTER_API): is not a number"),
        ("API", '{"requests_per_second": "inf"}', "api.requests_per_second (GIGAS_EXPORTER_API): is not a number"),
        ("STATE", '{"wait": []}', "state.wait (GIGAS_EXPORTER_STATE): is neither true nor false"),
        ("STATE", '{"path": 5}', "state.path (GIGAS_EXPORTER_STATE): is not text"),
        ("API", "[]", "api (GIGAS_EXPORTER_API): is not a mapping of settings"),
        ("API", "5", "api (GIGAS_EXPORTER_API): is not a mapping of settings"),
    ],
)
def test_a_value_of_another_type_is_refused(section: str, text: str, line: str) -> None:
    assert mistakes(**ACCOUNT_VARIABLES, **{section: text}) == [line]


def test_a_mistake_names_the_variable_as_it_is_written() -> None:
    (line,) = mistakes(**ACCOUNT_VARIABLES, WEB='{"listen_address": ["x"]}')
    assert line.startswith("web.listen_address.0 (GIGAS_EXPORTER_WEB): is not an address")
    (line,) = mistakes(**ACCOUNT_VARIABLES, ACCOUNTS__7__API_KEY=SECRET)
    assert line == "accounts.7.id (GIGAS_EXPORTER_ACCOUNTS__7__API_KEY): is missing"


@pytest.mark.parametrize("text", ['[{"id": 1}', '{"id": 1}', "17893", "[" * 100_000])
def test_what_is_no_list_of_accounts_is_refused_without_being_quoted(text: str) -> None:
    assert mistakes(ACCOUNTS=text) == [
        "accounts (GIGAS_EXPORTER_ACCOUNTS): is not a list; in a variable write JSON, or one variable for each value"
    ]


def test_what_kubernetes_sets_for_a_service_is_left_alone() -> None:
    """https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables"""
    service = {
        "SERVICE_HOST": "10.0.0.11",
        "SERVICE_PORT": "9877",
        "SERVICE_PORT_METRICS": "9877",
        "PORT": "tcp://10.0.0.11:9877",
        "PORT_9877_TCP": "tcp://10.0.0.11:9877",
        "PORT_9877_TCP_PROTO": "tcp",
        "PORT_9877_TCP_PORT": "9877",
        "PORT_9877_TCP_ADDR": "10.0.0.11",
        "METRICS_PORT": "udp://10.0.0.11:9877",
        "METRICS_SERVICE_HOST": "10.0.0.11",
    }
    assert loaded(**ACCOUNT_VARIABLES, **service) == loaded(**ACCOUNT_VARIABLES)


def test_other_variables_are_none_of_our_business() -> None:
    environ = {f"GIGAS_EXPORTER_{name}": value for name, value in ACCOUNT_VARIABLES.items()}
    others = {"GIGAS_URL": "x", "API__URL": "x", "XGIGAS_EXPORTER_API__URL": "x", "": "x"}
    assert load(flags={}, environ=environ | others, file=None) == load(flags={}, environ=environ, file=None)

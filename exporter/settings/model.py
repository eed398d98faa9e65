"""Every setting: type, default and help. Keys are those of the file; `…_s` fields are durations there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.settings.secrets import SecretText, checked_secret
from exporter.settings.values import (
    account_id,
    instant_at,
    known_timezone,
    label_name,
    listen_address,
    plain_text,
    positive_duration,
    provider_url,
    secret_file,
    web_path,
)

__all__ = ["PREFIX", "AccountSettings", "Settings", "ShardSettings", "StateSettings"]

PREFIX = "GIGAS_EXPORTER_"
_FILTERS = (
    "id",
    "type",
    "cpu_type",
    "status",
    "hostname",
    "ip_address",
    "locked",
    "suspended",
    "location_id",
    "disk_type",
    "label",
)
"""The list filters that the provider's page documents."""
_ONE_VALUE = frozenset({"ip_address"})
"""The list does not show it, so that only the provider can filter by it, and it takes one value."""
_FLAGS = frozenset({"locked", "suspended"})


def _listed(value: object) -> object:
    """Lists arrive from the environment as a mapping of indexes, and one value may stand for a list of it."""
    if isinstance(value, Mapping) and all(str(key).isdecimal() for key in value):
        return [value[key] for key in sorted(value, key=lambda key: int(str(key)))]
    return value


def _one_or_more(value: object) -> object:
    listed = _listed(value)
    return listed if isinstance(listed, list | tuple | Mapping) else (listed,)


def _without_nulls(value: object, known: Mapping[str, Any]) -> object:
    """A key without a value, as where all below it is commented out, is as good as absent."""
    if not isinstance(value, Mapping):
        return value
    names = {field.alias or name for name, field in known.items()}
    return {key: told for key, told in value.items() if told is not None or key not in names}


def _known_filter(name: str) -> str:
    if name not in _FILTERS:
        raise ValueError(f"is no filter; known are {', '.join(_FILTERS)}")
    return name


def _not_empty(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values or "" in values:
        raise ValueError("is empty")
    return values


def _file_name(text: str) -> str:
    if not text or "\0" in text:
        raise ValueError("is not a file's name")
    if Path(text).is_dir():
        raise ValueError(f"is a folder; name a file in it, such as {Path(text) / 'ledger.db'}")
    return text


Duration = Annotated[float, BeforeValidator(positive_duration)]
_Text = Annotated[str, BeforeValidator(plain_text)]
_Secret = Annotated[SecretStr, BeforeValidator(lambda value: SecretStr(checked_secret(plain_text(value))))]
_SecretFile = Annotated[Path, BeforeValidator(secret_file)]
_FilterName = Annotated[str, AfterValidator(_known_filter)]
_FilterValues = Annotated[tuple[_Text, ...], BeforeValidator(_one_or_more), AfterValidator(_not_empty)]
_LabelName = Annotated[str, AfterValidator(label_name)]
_Addresses = Annotated[
    tuple[Annotated[str, BeforeValidator(listen_address)], ...],
    BeforeValidator(_one_or_more),
    AfterValidator(_not_empty),
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _nulls_are_absent(cls, value: object) -> object:
        return _without_nulls(value, cls.model_fields)


class AccountSettings(_Section):
    """One account of the provider."""

    id: Annotated[str, BeforeValidator(account_id)] = Field(description="The account in the provider's addresses.")
    name: _Text = Field("", description="Value of the label `account`; default: the id.")
    api_key: _Secret | None = Field(None, description="An API key of the control panel.")
    api_key_file: _SecretFile | None = Field(None, description="A file that holds it; read anew when it is needed.")
    username: _Text | None = Field(None, description="To log in with a password instead.")
    password: _Secret | None = Field(None, description="The user's password.")
    password_file: _SecretFile | None = Field(None, description="A file that holds it.")
    totp: _Secret | None = Field(
        None,
        description="With `auth: oidc`, where two-factor is on: the key (base32) that one-time codes are made from, "
        "or a code.",
    )
    totp_file: _SecretFile | None = Field(None, description="A file that holds it.")
    auth: Literal["token", "oidc"] = Field("token", description="How a user logs in: session token or OpenID.")
    filters: Mapping[_FilterName, _FilterValues] = Field(
        default_factory=dict, description="The provider's list filters; a VM that leaves them is gone."
    )
    labels: Mapping[_LabelName, _Text] = Field(
        default_factory=dict, description="Labels of your own, on `gigas_account_info`."
    )
    api_key_expires: Annotated[float, BeforeValidator(instant_at)] | None = Field(
        None, description="When the API key ends, for the expiry metric."
    )

    @field_validator("name")
    @classmethod
    def _blanks_are_no_name(cls, value: str) -> str:
        return value.strip()

    @field_validator("filters")
    @classmethod
    def _as_the_provider_writes_them(cls, value: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        for name in _ONE_VALUE & value.keys():
            if len(value[name]) > 1:
                raise ValueError(f"{name} takes one value")
        digits = {"true": "1", "false": "0"}
        return {
            name: tuple(digits.get(told.lower(), told) if name in _FLAGS else told for told in values)
            for name, values in value.items()
        }

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        keys = self._given("api_key", "api_key_file")
        passwords = self._given("password", "password_file")
        codes = self._given("totp", "totp_file")
        if not keys + passwords:
            raise ValueError("needs one of api_key, api_key_file, password, password_file")
        for given in (keys + passwords, codes):
            if len(given) > 1:
                raise ValueError(f"has {' and '.join(given)}; one is enough")
        if passwords and not self.username:
            raise ValueError("has a password but no username")
        if keys and self.username:
            raise ValueError("has both an API key and a username; one is enough")
        if keys and self.auth == "oidc":
            raise ValueError("has an API key but auth: oidc, which needs username and password")
        if codes and self.auth != "oidc":
            raise ValueError(f"has {codes[0]}, which needs auth: oidc")
        if not self.name:
            return self.model_copy(update={"name": self.id})
        return self

    def _given(self, *names: str) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

    def secret(self) -> SecretText:
        """The API key or password."""
        given = self.api_key or self.password
        return SecretText(given.get_secret_value() if given else None, self.api_key_file or self.password_file)

    def totp_secret(self) -> SecretText | None:
        """What one-time codes are made from, if there is something."""
        if self.totp is None and self.totp_file is None:
            return None
        return SecretText(self.totp.get_secret_value() if self.totp else None, self.totp_file)


class ApiSettings(_Section):
    """How the provider is reached."""

    url: Annotated[str, BeforeValidator(provider_url)] = Field(
        "https://api.gigas.com", description="Address of the API; some customers have a regional one."
    )
    timeout_s: Duration = Field(20.0, alias="timeout", description="For a whole attempt at a request.")
    page_size: int = Field(200, ge=1, le=10_000, description="VMs asked for in one page of the list.")
    max_concurrency: int = Field(32, ge=1, le=1_000, description="Requests of an account at the same time.")
    requests_per_second: float = Field(
        0.0, ge=0, le=100_000, allow_inf_nan=False, description="Ceiling on an account's requests; 0: none of our own."
    )
    timezone: Annotated[str, BeforeValidator(known_timezone)] = Field(
        "UTC", description="Zone of the provider's times, which do not say."
    )
    memory_unit: Literal["MiB", "MB"] = Field(
        "MiB", description="Unit of the provider's `memory`, which it does not say."
    )


class InventorySettings(_Section):
    """The list of VMs."""

    interval_s: Duration = Field(60.0, alias="interval", description="How often VMs are listed.")


_EveryBuckets = Annotated[int, Field(ge=1, le=3)]
_EVERY_BUCKETS = (
    "A VM is looked at once in so many buckets: fewer requests for less freshness. Counters stay exact. Ratios and "
    "rates get older by that many buckets, so that `stale_after` must be longer. Where an answer has fewer buckets "
    "than the 12 that the provider documents, VMs are looked at as often as exactness needs."
)


class CpuSettings(_Section):
    """CPU usage."""

    interval_s: Duration = Field(60.0, alias="interval", description="How often a VM's CPU is looked at, at most.")
    every_buckets: _EveryBuckets = Field(1, description=_EVERY_BUCKETS)
    percent_of: Literal["vm", "core"] = Field("vm", description="What 100 % means: the whole VM, or one core.")


class TrafficSettings(_Section):
    """Network traffic."""

    interval_s: Duration = Field(60.0, alias="interval", description="How often a VM's traffic is looked at, at most.")
    every_buckets: _EveryBuckets = Field(1, description=_EVERY_BUCKETS)
    unit: Literal["bytes", "bytes_per_second"] = Field("bytes", description="What the provider's buckets hold.")


class CollectSettings(_Section):
    """What is collected, and how often."""

    inventory: InventorySettings = Field(default_factory=InventorySettings)
    cpu: CpuSettings = Field(default_factory=CpuSettings)
    traffic: TrafficSettings = Field(default_factory=TrafficSettings)
    stale_after_s: Duration = Field(
        900.0, alias="stale_after", description="Ratios and rates older than this are withdrawn; counters stand still."
    )


class StateSettings(_Section):
    """What survives a restart."""

    path: Annotated[str, AfterValidator(_file_name)] | None = Field(
        None,
        description="The ledger's file, of this process alone; `:memory:` for none. Default: `ledger.db` in "
        "`$STATE_DIRECTORY`, else in `gigas-exporter` in the user's state folder.",
    )
    wait: bool = Field(default=False, description="Wait as a standby while another process holds the file.")
    start_anew: bool = Field(
        default=False, description="A file that cannot be used is moved aside, and counting starts anew."
    )


class WebSettings(_Section):
    """What is served."""

    listen_address: _Addresses = Field((":9877",), description="Where to listen; repeatable.")
    telemetry_path: Annotated[str, BeforeValidator(web_path)] = Field("/metrics", description="Where metrics are.")
    config_file: Path | None = Field(
        None, description="TLS and users. Not available yet.", json_schema_extra={"flag": "--web.config.file"}
    )
    enable_lifecycle: bool = Field(default=False, description="Whether POST /-/reload reads the configuration anew.")

    @field_validator("config_file", mode="before")
    @classmethod
    def _not_available(cls, _: object) -> object:
        # To go on would serve in the clear what was meant to be protected.
        raise ValueError("is not available yet; this version serves without TLS and users")


class LogSettings(_Section):
    """What is logged."""

    level: Literal["debug", "info", "warn", "error"] = Field("info", description="The least that is logged.")
    format: Literal["logfmt", "json"] = Field("logfmt", description="How a line looks.")


class ShardSettings(_Section):
    """A part of the VMs, by a stable hash."""

    index: int = Field(0, ge=0, description="Which part, from 0.")
    total: int = Field(1, ge=1, description="Of how many.")

    @model_validator(mode="after")
    def _within(self) -> Self:
        if self.index >= self.total:
            raise ValueError("has an index that is not below its total; indexes count from 0")
        return self


class Settings(BaseSettings):
    """Everything. Values arrive merged (`sources`), by their keys in the file."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, env_prefix=PREFIX, env_nested_delimiter="__"
    )

    accounts: Annotated[tuple[AccountSettings, ...], BeforeValidator(_listed)] = Field((), validate_default=True)
    api: ApiSettings = Field(default_factory=ApiSettings)
    collect: CollectSettings = Field(default_factory=CollectSettings)
    state: StateSettings = Field(default_factory=StateSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    shard: ShardSettings = Field(default_factory=ShardSettings)

    @model_validator(mode="before")
    @classmethod
    def _nulls_are_absent(cls, value: object) -> object:
        return _without_nulls(value, cls.model_fields)

    @field_validator("accounts")
    @classmethod
    def _accounts_differ(cls, value: tuple[AccountSettings, ...]) -> tuple[AccountSettings, ...]:
        if not value:
            raise ValueError("none is configured; at least an id and an api_key_file are needed")
        names = [account.name for account in value]
        twice = [name for index, name in enumerate(names) if name in names[:index]]
        if twice:
            raise ValueError(f"two have the name {twice[0]!r}; give each a name of its own")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic-settings' own
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `sources` has merged: it knows which source each value came from."""
        return (init_settings,)

"""Every setting: type, default and help. Keys are those of the file; `…_s` fields are durations there."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from exporter.settings.secrets import SecretText, checked_secret, read_secret
from exporter.settings.values import (
    instant_at,
    known_timezone,
    parse_listen_address,
    positive_duration,
    provider_url,
    web_path,
)

__all__ = ["PREFIX", "AccountSettings", "Settings"]

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
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({"account", "account_id"})
_ID = re.compile(r"[A-Za-z0-9_-]+")

Duration = Annotated[float, BeforeValidator(positive_duration)]


def _listed(value: object) -> object:
    """Lists arrive from the environment as a mapping of indexes."""
    if isinstance(value, Mapping) and all(str(key).isdigit() for key in value):
        return [value[key] for key in sorted(value, key=lambda key: int(str(key)))]
    return value


def _secret(value: object) -> object:
    return value if value is None else SecretStr(checked_secret(str(value)))


def _secret_file(value: object) -> object:
    if value is None:
        return None
    path = Path(str(value))
    try:
        read_secret(path)
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path} {error}") from None
    return path


_Secret = Annotated[SecretStr | None, BeforeValidator(_secret)]
_SecretFile = Annotated[Path | None, BeforeValidator(_secret_file)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)


class AccountSettings(_Section):
    """One account of the provider."""

    id: Annotated[str, BeforeValidator(str)] = Field(description="The account in the provider's addresses.")
    name: Annotated[str, BeforeValidator(str)] = Field("", description="Value of the label `account`; default: the id.")
    api_key: _Secret = Field(None, description="An API key of the control panel.")
    api_key_file: _SecretFile = Field(None, description="A file that holds it, read anew when it is refused.")
    username: str | None = Field(None, description="To log in with a password instead.")
    password: _Secret = Field(None, description="The user's password.")
    password_file: _SecretFile = Field(None, description="A file that holds it.")
    totp: _Secret = Field(None, description="A one-time password, with `auth: oidc`, where two-factor is on.")
    totp_file: _SecretFile = Field(None, description="A file that holds the present one.")
    auth: Literal["token", "oidc"] = Field("token", description="How a user logs in: session token or OpenID.")
    filters: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict, description="The provider's list filters; a VM that leaves them is gone."
    )
    labels: Mapping[str, str] = Field(default_factory=dict, description="Labels of your own, on gigas_account_info.")
    api_key_expires: Annotated[float | None, BeforeValidator(instant_at)] = Field(
        None, description="When the API key ends, for the expiry metric."
    )

    @field_validator("id")
    @classmethod
    def _id_is_one(cls, value: str) -> str:
        if not _ID.fullmatch(value):
            raise ValueError("is not an account; write the number in the provider's addresses")
        return value

    @field_validator("filters", mode="before")
    @classmethod
    def _filters_are_known(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        filters = {}
        for key, told in value.items():
            if key not in _FILTERS:
                raise ValueError(f"has no filter {str(key)!r}; known are {', '.join(_FILTERS)}")
            values = _listed(told)
            listed = values if isinstance(values, list | tuple) else [values]
            filters[str(key)] = tuple(str(int(each)) if isinstance(each, bool) else str(each) for each in listed)
            if not filters[str(key)]:
                raise ValueError(f"{key} has no value")
            if key in _ONE_VALUE and len(listed) > 1:
                raise ValueError(f"{key} takes one value")
        return filters

    @field_validator("labels", mode="before")
    @classmethod
    def _labels_are_labels(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        for key in value:
            if not _LABEL.fullmatch(str(key)) or str(key).startswith("__") or key in _RESERVED:
                raise ValueError(f"{str(key)!r} cannot be a label's name")
        return {str(key): str(told) for key, told in value.items()}

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        keys = [name for name in ("api_key", "api_key_file") if getattr(self, name) is not None]
        passwords = [name for name in ("password", "password_file") if getattr(self, name) is not None]
        if len(keys) + len(passwords) != 1:
            raise ValueError(
                "needs one of api_key, api_key_file, password, password_file"
                if not keys + passwords
                else f"has {' and '.join(keys + passwords)}; one is enough"
            )
        if passwords and not self.username:
            raise ValueError("has a password but no username")
        if keys and self.username:
            raise ValueError("has both an API key and a username; one is enough")
        if not self.name:
            return self.model_copy(update={"name": self.id})
        return self

    def secret(self) -> SecretText:
        """The API key or password."""
        given = self.api_key or self.password
        return SecretText(given.get_secret_value() if given else None, self.api_key_file or self.password_file)

    def totp_secret(self) -> SecretText | None:
        """The one-time password, if there is one."""
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


class CpuSettings(_Section):
    """CPU usage."""

    interval_s: Duration = Field(60.0, alias="interval", description="How often a VM's CPU is looked at, at most.")
    percent_of: Literal["vm", "core"] = Field("vm", description="What 100 % means: the whole VM, or one core.")


class TrafficSettings(_Section):
    """Network traffic."""

    interval_s: Duration = Field(60.0, alias="interval", description="How often a VM's traffic is looked at, at most.")
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
    """What survives a restart. This version keeps it in memory, and says so where a path is set."""

    path: str | None = Field(None, description="The ledger's file. Not available yet: counters are kept in memory.")
    wait: bool = Field(default=False, description="Wait while another process holds the file. Not available yet.")


class WebSettings(_Section):
    """What is served."""

    listen_address: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
        (":9877",), description="Where to listen; repeatable."
    )
    telemetry_path: Annotated[str, BeforeValidator(web_path)] = Field("/metrics", description="Where metrics are.")
    config_file: Path | None = Field(
        None, description="TLS and users. Not available yet.", json_schema_extra={"flag": "--web.config.file"}
    )
    enable_lifecycle: bool = Field(default=False, description="Whether POST /-/reload reads the configuration anew.")

    @field_validator("listen_address", mode="before")
    @classmethod
    def _one_or_more(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("listen_address")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("is empty; write :9877")
        for text in value:
            parse_listen_address(text)
        return value


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

    accounts: Annotated[tuple[AccountSettings, ...], BeforeValidator(_listed)] = ()
    api: ApiSettings = Field(default_factory=ApiSettings)
    collect: CollectSettings = Field(default_factory=CollectSettings)
    state: StateSettings = Field(default_factory=StateSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    log: LogSettings = Field(default_factory=LogSettings)
    shard: ShardSettings = Field(default_factory=ShardSettings)

    @model_validator(mode="after")
    def _accounts_differ(self) -> Self:
        if not self.accounts:
            raise ValueError("accounts: none is configured; at least an id and an api_key_file are needed")
        names = [account.name for account in self.accounts]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ValueError(f"accounts: two have the name {name!r}; give each a name of its own")
        return self

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

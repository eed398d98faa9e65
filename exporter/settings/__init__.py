"""What may be configured, from flags, environment and file, in that order; each mistake is one line.

A setting is one field of `model`: its flag, variable, file key, error line and the reference follow from it.
No text of pydantic is ever shown: it quotes the input, secrets too.
"""

from exporter.settings.model import PREFIX, AccountSettings, Settings, ShardSettings, StateSettings
from exporter.settings.problems import ConfigurationError, Problem
from exporter.settings.reference import FLAGS, Row, documented
from exporter.settings.secrets import SecretText
from exporter.settings.sources import load, load_state
from exporter.settings.state_path import ledger_path
from exporter.settings.values import parse_listen_address, positive_duration

__all__ = [
    "FLAGS",
    "PREFIX",
    "AccountSettings",
    "ConfigurationError",
    "Problem",
    "Row",
    "SecretText",
    "Settings",
    "ShardSettings",
    "StateSettings",
    "documented",
    "ledger_path",
    "load",
    "load_state",
    "parse_listen_address",
    "positive_duration",
]

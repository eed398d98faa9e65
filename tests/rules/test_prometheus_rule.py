"""The rules for the Prometheus operator: the committed file, and whether the operator's own schema knows every key."""

import importlib
import os
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml

KUBERNETES = Path(__file__).parents[2] / "deploy/kubernetes"
COMMITTED = (KUBERNETES / "prometheus-rule.yaml").read_text()
RULES = Path(__file__).parents[2] / "deploy/prometheus/gigas-exporter.rules.yml"


def kind_of_rule() -> Any:
    """The operator's PrometheusRule; skipped where the package is not there, but not in CI."""
    try:
        return importlib.import_module("cloudcoil.models.prometheus_operator.v1").PrometheusRule
    except ImportError:
        missing = "cloudcoil is not there: pip install cloudcoil-models-prometheus-operator"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)


def test_the_committed_manifest_is_what_the_script_writes() -> None:
    assert runpy.run_path(str(KUBERNETES / "build.py"))["written"]() == COMMITTED, "python deploy/kubernetes/build.py"


def test_the_manifest_has_the_rules_word_for_word() -> None:
    document = yaml.safe_load(COMMITTED)
    assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert document["spec"] == yaml.safe_load(RULES.read_text())


def test_the_operator_knows_every_key_of_the_manifest() -> None:
    # A key that is misspelt is left out on the way: what comes back must be what went in.
    document = yaml.safe_load(COMMITTED)
    returned = kind_of_rule().model_validate(document)
    assert returned.model_dump(mode="json", by_alias=True, exclude_unset=True) == document


def test_a_misspelt_key_does_not_come_back() -> None:
    document = yaml.safe_load(COMMITTED)
    document["spec"]["groups"][1]["rules"][0]["fro"] = "5m"
    kind = kind_of_rule()
    try:
        returned = kind.model_validate(document).model_dump(mode="json", by_alias=True, exclude_unset=True)
    except ValueError:
        return
    assert returned != document

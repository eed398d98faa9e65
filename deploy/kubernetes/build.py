# ruff: noqa: INP001 - a script beside its output, not a package
"""Writes prometheus-rule.yaml, the alert rules for the Prometheus operator: `python deploy/kubernetes/build.py`.

The rules are taken as they are, word for word: `{{ … }}` in them is for Prometheus, and nothing here is a template.
"""

from pathlib import Path
from typing import Any

import yaml

__all__ = ["MANIFEST", "RULES", "manifest", "written"]

MANIFEST = Path(__file__).parent / "prometheus-rule.yaml"
RULES = Path(__file__).parents[1] / "prometheus" / "gigas-exporter.rules.yml"

_HEADER = """\
# Written by deploy/kubernetes/build.py from deploy/prometheus/gigas-exporter.rules.yml: change it there.
# The rules know the scrape job by its name, `gigas`. Where an operator selects rules by label, add it to the metadata.
"""


class _Dumper(yaml.SafeDumper):
    """Expressions of several lines stay so, and what is said twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as the library declares it
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def manifest() -> dict[str, Any]:
    """Return the rules as a PrometheusRule."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "gigas-exporter", "labels": {"app.kubernetes.io/name": "gigas-exporter"}},
        "spec": yaml.safe_load(RULES.read_text()),
    }


def written() -> str:
    """Return the file's text."""
    return _HEADER + yaml.dump(manifest(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


if __name__ == "__main__":
    MANIFEST.write_text(written())

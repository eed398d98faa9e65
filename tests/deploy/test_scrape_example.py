"""The example of a scrape configuration fits the exporter and the rules. That Prometheus takes it: see tests/rules."""

import re
from pathlib import Path

import yaml

from exporter.settings import load

DEPLOY = Path(__file__).parents[2] / "deploy/prometheus"
(JOB,) = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]


def test_the_example_scrapes_where_the_exporter_listens_by_default() -> None:
    one_account = {"GIGAS_EXPORTER_ACCOUNTS__0__ID": "17893", "GIGAS_EXPORTER_ACCOUNTS__0__API_KEY": "made-up"}
    web = load(flags={}, environ=one_account, file=None).web
    ((target,),) = (config["targets"] for config in JOB["static_configs"])
    assert [f":{target.rpartition(':')[2]}"] == list(web.listen_address)
    assert JOB.get("metrics_path", "/metrics") == web.telemetry_path


def test_the_rules_know_the_job_by_the_name_that_the_example_gives_it() -> None:
    rules = (DEPLOY / "gigas-exporter.rules.yml").read_text()
    assert set(re.findall(r'job="([^"]*)"', rules)) == {JOB["job_name"]}

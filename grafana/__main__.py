"""Writes every dashboard: `python -m grafana`."""

from grafana import DASHBOARDS, FOLDER, text

if __name__ == "__main__":
    for name, dashboard in DASHBOARDS.items():
        (FOLDER / f"{name}.json").write_text(text(dashboard()), encoding="utf-8")

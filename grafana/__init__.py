"""The dashboards, as code: `python -m grafana` writes `dashboards/`, which is what Grafana imports.

Built with Grafana's own models (grafana-foundation-sdk): a word that they do not know does not get into a file. What is
repeated in a dashboard is said once, in `panels` and `queries`; a dashboard's own file says what it shows and why.
"""

from grafana.exporter import exporter
from grafana.files import FOLDER, text
from grafana.fleet import fleet
from grafana.vm import vm

__all__ = ["DASHBOARDS", "FOLDER", "text"]

DASHBOARDS = {"fleet": fleet, "vm": vm, "exporter": exporter}
"""Each by the name of its file."""

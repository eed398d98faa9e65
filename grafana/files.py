"""A dashboard as it is committed."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

__all__ = ["FOLDER", "text"]

FOLDER = Path(__file__).parent / "dashboards"


def text(dashboard: Dashboard) -> str:
    """Keys are sorted, so that a newer SDK that writes them in another order changes no file."""
    return json.dumps(dashboard, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"

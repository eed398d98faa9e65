"""What is exposed, as bytes: every family declared once in `catalogue`, everything else follows from it.

`render` turns snapshots into lines, `page` keeps them ready in blocks, a large one that is asked for plain in a
`plain_file`, `own` holds the daemon's own families with prometheus_client. Nothing here asks the provider or waits for
anything.
"""

from exporter.metrics.catalogue import FAMILIES, Family, OwnFamily
from exporter.metrics.own import Own
from exporter.metrics.page import COLLECTORS, Exposition, Page, Selection

__all__ = ["COLLECTORS", "FAMILIES", "Exposition", "Family", "Own", "OwnFamily", "Page", "Selection"]

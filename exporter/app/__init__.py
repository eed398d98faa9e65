"""The only room that builds objects and joins them: start, reload, stop in order.

`watch` is one account as it is looked at, `core` what a collection needs from intake to the page, `once` one
collection, `daemon` the one that goes on.
"""

from exporter.app.daemon import Daemon
from exporter.app.once import collect_once
from exporter.app.watch import client_of, collector_options, session_of

__all__ = ["Daemon", "client_of", "collect_once", "collector_options", "session_of"]

"""Serves what is ready. No handler asks the provider, waits for a poll or holds a lock.

`server` owns the listeners and the table of paths, `scrape` writes the page, `pages` and `health` are for people and
for whoever watches the daemon.
"""

from exporter.web.server import ListenFailed, Server

__all__ = ["ListenFailed", "Server"]

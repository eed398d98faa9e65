"""Pictures of the dashboards for docs/images: `make images`.

A simulated fleet is watched by the exporter and scraped by a real Prometheus; every expression of a dashboard is asked
there, and the answers are drawn by Grafana's own components in a headless Chromium.
"""

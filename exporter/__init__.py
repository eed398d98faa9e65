"""gigas-exporter: the state, CPU and traffic of cloud servers at Gigas as Prometheus metrics.

The rooms of this package and what each may import are drawn in CONTRIBUTING.md.
"""

__version__ = "0.1.0"

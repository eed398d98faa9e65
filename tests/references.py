"""The references that follow from the code: `python -m tests.references` (`make docs`) writes their tables anew.

In a page, what stands between `<!-- make docs: settings api -->` and `<!-- end -->` is written; the rest is by hand.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from exporter.metrics import FAMILIES, Family
from exporter.metrics.catalogue import VM_LABELS, AccountFamily, OwnFamily, VmFamily
from exporter.settings import Row, documented

__all__ = ["PAGES", "ROOT", "renewed"]

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "docs/configuration.md", ROOT / "docs/metrics.md")
_BLOCK = re.compile(r"(?P<begin><!-- make docs: (?P<table>\w+) (?P<part>\w+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def renewed(page: str) -> str:
    """The page with its tables as they should be."""
    return _BLOCK.sub(lambda found: found["begin"] + _TABLES[found["table"]](found["part"]) + found["end"], page)


def _settings(section: str) -> str:
    """The settings of one section; `accounts` is that of an account."""
    rows = [row for row in documented() if row.key.split(".")[0] == section]
    return _table(("setting", "type", "default", ""), (_setting(row) for row in rows))


def _setting(row: Row) -> tuple[str, ...]:
    flag = f"{row.flag}`, `{row.flag.replace('--', '--no-', 1)}" if row.switch else row.flag
    names = "<br>".join(f"`{name}`" for name in (row.key, flag, row.variable) if name)
    default = row.default if row.default in {"", "required"} else f"`{row.default}`"
    return names, " or ".join(f"`{choice}`" for choice in row.choices) or row.kind, default, row.help


def _families(collector: str) -> str:
    """What a collector gives; `exporter` is the daemon itself."""
    families = [family for family in FAMILIES if family.collector == collector]
    return _table(("metric", "type", "unit", "labels", ""), (_family(family) for family in families))


def _family(family: Family) -> tuple[str, ...]:
    labels = ", ".join(f"`{label}`" for label in _labels(family))
    buckets = ""
    if isinstance(family, OwnFamily) and family.buckets:
        buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in family.buckets)}."
    if isinstance(family, AccountFamily) and family.name == "gigas_account_info":
        labels += ", your own"
    return f"`{family.name}`", family.type, family.unit.replace("_per_", "/"), labels, family.help + buckets


def _labels(family: Family) -> tuple[str, ...]:
    return (*VM_LABELS, *family.labels) if isinstance(family, VmFamily) else family.labels


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |\n" for line in lines)


_TABLES: Mapping[str, Callable[[str], str]] = {"settings": _settings, "metrics": _families}


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(renewed(path.read_text()))

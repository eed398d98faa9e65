"""What is documented is what there is, and every link leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from exporter.cli import _group
from exporter.metrics import COLLECTORS, FAMILIES
from exporter.settings import documented, load
from tests.references import PAGES, ROOT, renewed

CONFIGURATION, METRICS = (page.read_text() for page in PAGES)
DOCUMENTS = sorted({ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")})
_FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *#*$", re.MULTILINE)


def described(page: str, name: str) -> bool:
    return re.search(rf"`{re.escape(name)}[`=]", page) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_references_are_what_the_code_says(page: Path) -> None:
    text = page.read_text()
    assert text == renewed(text), "run `make docs`"


def test_every_setting_is_documented_with_its_flag_and_its_variable() -> None:
    for row in documented():
        for name in (row.key, row.flag, row.variable):
            assert not name or described(CONFIGURATION, name), name
        assert row.help.endswith("."), row.key


def test_every_metric_is_documented() -> None:
    for family in FAMILIES:
        assert described(METRICS, family.name), family.name
        assert family.help.endswith("."), family.name
    for collector in COLLECTORS:
        assert described(METRICS, collector), collector


def test_every_command_and_every_flag_is_documented() -> None:
    pages = CONFIGURATION + (ROOT / "docs/simulator.md").read_text()
    for name, command in _group.commands.items():
        assert re.search(rf"`(gigas-exporter )?{name}\b", pages), name
        for parameter in command.params:
            flags = [*parameter.opts, *parameter.secondary_opts] if isinstance(parameter, click.Option) else []
            for flag in flags:
                assert re.search(rf"`{re.escape(flag)}[` ]", pages), f"{name} {flag}"


@pytest.mark.parametrize("page", [PAGES[0], ROOT / "README.md"], ids=lambda page: page.name)
def test_the_configuration_that_is_shown_is_one(page: Path, tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(# gigas-exporter.yml\n.*?)```", page.read_text(), re.DOTALL)
    assert found is not None
    (tmp_path / "key").write_text("a-key")
    (tmp_path / "c.yml").write_text(re.sub(r"/run/secrets/\w+", str(tmp_path / "key"), found[1]))
    assert load(flags={}, environ={}, file=tmp_path / "c.yml").accounts[0].name == "production"


def prose(document: Path) -> str:
    """The text without what is quoted as code."""
    return _FENCE.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """The anchors that GitHub makes of headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose(document)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(next(each for each in (slug, *(f"{slug}-{n}" for n in range(1, 99))) if each not in found))
    return found


def links(document: Path) -> Iterator[str]:
    for target in _LINK.findall(re.sub(r"`[^`\n]*`", "", prose(document))):
        if not re.match(r"[a-z]+:", target):
            yield unquote(target)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in links(document):
        name, _, anchor = target.partition("#")
        file = (document.parent / name).resolve() if name else document
        assert file.is_relative_to(ROOT.resolve()), target
        assert file.exists(), f"{document.name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{document.name}: {target}"


def test_links_are_found_where_there_are_some() -> None:
    assert "docs/configuration.md" in set(links(ROOT / "README.md"))
    assert "two-things-that-the-provider-does-not-say" in anchors(ROOT / "docs/counters.md")

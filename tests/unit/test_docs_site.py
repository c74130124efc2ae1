"""The site of the documentation (`make docs`): strict, whole, and of one host."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

WHY = "the extra docs is not installed here"
pytest.importorskip("mkdocs", reason=WHY)
pytest.importorskip("material", reason=WHY)

docs_site = importlib.import_module("scripts.docs_site")

ROOT = Path(__file__).parents[2]
# What a browser fetches by itself, less `link`, which does so for some relations only.
FETCHED = {"src", "srcset", "data", "poster", "background"}
RELATIONS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "modulepreload", "manifest"}


def _build(at: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(out)],
        cwd=at,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    out = tmp_path_factory.mktemp("site")
    done = _build(ROOT, out)
    assert done.returncode == 0, done.stderr
    return out


class _Fetched(HTMLParser):
    """What a page has a browser fetch, and whether it holds a diagram, for which the theme's script
    would load a library from another host."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.diagrams = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        self.diagrams += "mermaid" in held.get("class", "").split()
        names = set(FETCHED)
        if tag == "link" and RELATIONS & set(held.get("rel", "").split()):
            names.add("href")
        if tag in ("use", "image"):
            names |= {"href", "xlink:href"}
        self.addresses += [held[name] for name in names & held.keys()]


def test_no_page_fetches_anything_from_another_host(site: Path) -> None:
    """It is read where there is no internet, and tells nobody who reads it."""
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        seen = _Fetched()
        seen.feed(page.read_text(encoding="utf-8"))
        assert seen.addresses, page.name
        assert not [each for each in seen.addresses if re.match(r"(?:[a-z]+:)?//", each)], page.name
        assert seen.diagrams == 0, page.name
    for sheet in site.rglob("*.css"):
        fetched = re.findall(
            r"(?:url\(|@import)\s*[\"']?([^\"')]+)", sheet.read_text(encoding="utf-8")
        )
        assert not [each for each in fetched if re.match(r"(?:https?:)?//", each)], sheet.name


def test_no_markdown_is_left_in_a_page(site: Path) -> None:
    """What Python-Markdown reads otherwise than GitHub would stand there as text."""
    for page in site.rglob("*.html"):
        found = re.search(r"<article.*?</article>", page.read_text(encoding="utf-8"), re.DOTALL)
        text = re.sub(r"<(pre|code|h1|td).*?</\1>", "", found[0] if found else "", flags=re.DOTALL)
        lines = re.sub(r"<[^>]+>", "", text).splitlines()
        left = [line for line in lines if re.match(r"\s*(\||[-*] |\d+\. |#+ |```)", line)]
        assert (left, "**" in text, "](" in text) == ([], False, False), page.name


def test_the_site_holds_each_page_once_and_what_they_name(site: Path) -> None:
    """Those of docs/, and those that stand elsewhere in the repository."""
    held = {path.relative_to(site).with_suffix("").as_posix() for path in site.rglob("*.html")}
    own = {
        path.relative_to(ROOT / "docs").with_suffix("").as_posix()
        for path in (ROOT / "docs").rglob("*.md")
    }
    brought = {Path(name).stem for name in docs_site.BROUGHT.values() if name.endswith(".md")}
    assert held == {*own, *brought, "decisions/index", "404"}
    for name in ("asyncapi.json", "tandem.example.toml", "LICENSE.txt"):
        assert (site / name).stat().st_size > 0


def test_a_broken_link_or_anchor_fails_the_build(tmp_path: Path) -> None:
    """Between pages, and to what stands outside docs/."""
    copy = tmp_path / "tandem"
    for each in ("docs", "scripts", "mkdocs.yml", *docs_site.BROUGHT):
        (copy / each).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / each).is_dir() else shutil.copy)(ROOT / each, copy / each)
    broken = ("gone.md", "runbook.md#gone", "../README.md#gone2", "../contracts/gone.py")
    with (copy / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.writelines(f"\n[broken]({each})\n" for each in broken)
    done = _build(copy, tmp_path / "site")
    assert done.returncode != 0
    for said in ("'gone.md'", "'#gone'", "'#gone2'", "'../contracts/gone.py'"):
        assert said in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("page", "line", "led"),
    [
        (
            "readme.md",
            "[a](docs/cli.md) [`b`](docs/runbook.md#alerts)",
            "[a](cli.md) [`b`](runbook.md#alerts)",
        ),
        ("chargebee.md", "[a](../../README.md#honest-limits)", "[a](readme.md#honest-limits)"),
        ("decisions/0001.md", "[a](../runbook.md) [b](0002.md)", "[a](../runbook.md) [b](0002.md)"),
        ("contributing.md", "[a](docs/decisions)", "[a](decisions/index.md)"),
        (
            "runbook.md",
            "`[a](../README.md)` [b](../README.md)",
            "`[a](../README.md)` [b](readme.md)",
        ),
        (
            "readme.md",
            "[a](https://example.com) [b](#limits)",
            "[a](https://example.com) [b](#limits)",
        ),
    ],
)
def test_links_lead_to_the_pages_of_the_site(page: str, line: str, led: str) -> None:
    """Wherever the page stands in the repository; code and other hosts are left alone."""
    assert docs_site.led(line, page) == led


def test_lists_are_indented_for_the_site() -> None:
    """GitHub takes the column of an item's words, Python-Markdown four columns for each level."""
    written = """Words:
1. one
   more

   ```
   1. code
   ```

   - inner

     again
2. two
3. three
   goes on
4. four

after"""
    made = """Words:

1. one
    more

    ```
    1. code
    ```

    - inner

        again

2. two
3. three
    goes on
4. four

after"""
    assert "\n".join(line for line, _ in docs_site.indented(written)) == made

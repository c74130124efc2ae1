"""What MkDocs does not do by itself for the site of the documentation (`make docs`, mkdocs.yml).

Pages that stand outside docs/ come in where they are, so that no text stands twice; links between
them and the rest are led to the page of the site; and lists are indented as Python-Markdown wants
them, since the pages are written for GitHub.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DECISIONS = "decisions/index.md"
# A file of the repository outside docs/, and its name in the site.
BROUGHT = {
    "README.md": "readme.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "LICENSE.txt",
    "benchmarks/RESULTS.md": "measured.md",
    "services/chargebee_adapter/BEHAVIOR.md": "chargebee.md",
    "services/poweroffice_adapter/BEHAVIOR.md": "poweroffice.md",
    "tandem.example.toml": "tandem.example.toml",
}
_FENCE = re.compile(r"\s*(```+|~~~+)")
_ITEM = re.compile(r"(\s*)([-*+]|\d+[.)])( +)")
_LINK = re.compile(r"\]\((?![a-z]+:|#|/)([^)#\s]+)(#[^)\s]*)?\)")
_CODE = re.compile(r"(`+[^`]*`+)")


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> Files:
    """Bring in what stands outside docs/, and the list of decisions."""
    for path, name in BROUGHT.items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / path)))
    files.append(File.generated(config, DECISIONS, content=decisions()))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """A page as Python-Markdown reads it, with links that lead to pages of the site."""
    return "\n".join(
        line if fenced else led(line, page.file.src_uri) for line, fenced in indented(markdown)
    )


def decisions() -> str:
    """A page that names each decision with its date and whether it holds."""
    rows = []
    for path in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        title, _, status, *_ = path.read_text(encoding="utf-8").splitlines()
        rows.append(f"| [{title.removeprefix('# ')}]({path.name}) | {status} |")
    return "\n".join(
        ["# Decisions", "", "Why something is as it is.", "", "| Decision | |", "|---|---|", *rows]
    )


def led(line: str, page: str) -> str:
    """The line with its relative links led from `page`, a path in the site, to the site's pages."""
    parts = _CODE.split(line)
    names = {name: path for path, name in BROUGHT.items()}
    here = posixpath.dirname(names.get(page, f"docs/{page}"))

    def lead(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(here, found[1]))
        if target == "docs/decisions":
            target = f"docs/{DECISIONS}"
        if target in BROUGHT:
            name = BROUGHT[target]
        elif target.startswith("docs/"):
            name = target.removeprefix("docs/")
        else:
            return found[0]  # no page of the site: MkDocs says so, and a strict build fails
        return f"]({posixpath.relpath(name, posixpath.dirname(page) or '.')}{found[2] or ''})"

    if len(parts) == 1:
        return _LINK.sub(lead, line)
    # A link may have code in its words, so code is put aside and not split at.
    held = parts[1::2]
    marked = "".join(part if i % 2 == 0 else f"\0{i // 2}\0" for i, part in enumerate(parts))
    return re.sub(r"\0(\d+)\0", lambda found: held[int(found[1])], _LINK.sub(lead, marked))


def indented(markdown: str) -> Iterator[tuple[str, bool]]:
    """Each line with what belongs to a list item moved to four columns for each level, and whether
    it is in a fence. An item or a fence that follows a paragraph at once gets the empty line it
    needs; the first paragraph of an item needs none."""
    levels: list[int] = []  # the column at which the content of each open item stands
    fence: str | None = None
    before, first = "", False  # the line before, and whether it is of an item's first paragraph
    for line in markdown.splitlines():
        if not line.strip():
            before, first = "", False
            yield "", fence is not None
            continue
        column = len(line) - len(line.lstrip(" "))
        mark, item = _FENCE.match(line), _ITEM.match(line)
        if fence is None:
            lazy = before and not item and not mark  # goes on with the paragraph before it
            while levels and column < levels[-1] and not lazy:
                levels.pop()
        base = levels[-1] if levels else 0
        moved = " " * (4 * len(levels) + max(0, column - base)) + line.lstrip(" ")
        if fence is not None:
            yield moved, True
            fence = None if mark and mark[1].startswith(fence) else fence
        elif mark:
            if before and not levels:
                yield "", False
            fence, first = mark[1], False
            yield moved, True
        elif item:
            if before and not first:
                yield "", False
            yield moved, False
            first = True
            levels.append(column + len(item[2]) + len(item[3]))
        else:
            yield moved, False
        before = line

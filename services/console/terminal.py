"""The one place where text goes to a terminal: whatever a record holds, it is shown and does
nothing.

Names and ids come from whoever may write them in one of the systems. An escape sequence, a turn of
the direction of writing, a line break or markup of Rich in them is written out
(`runtime.harmless`); JSON keeps its values, with such characters escaped. No other module of the
console prints.
"""

import re
import sys
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from runtime.harmless import UNSAFE, harmless

UNLIMITED = 1_000_000  # columns, of what is no terminal


class Screen(Console):
    """Rich's console without markup in texts. What was not written out before is on its way out.

    Into a file or a pipe nothing is broken or cut at a width: a line for each record, whatever
    COLUMNS says.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, markup=False, highlight=False, emoji=False)
        if not self.is_terminal:
            self.width = UNLIMITED

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(harmless(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control is None and UNSAFE.search(segment.text):
                yield Segment(harmless(segment.text, keep="\n"), segment.style)
            else:
                yield segment


def tell(words: str, *, err: bool = False) -> None:
    """One line on standard output, or on standard error."""
    typer.echo(harmless(words), err=err)


def say(console: Console, words: str) -> None:
    """A line as it is: what a record holds is no markup, and no line is broken at the width of the
    screen."""
    console.print(harmless(words), highlight=False, markup=False, soft_wrap=True)


def ask(question: str) -> Literal["yes", "no", "interrupted"] | None:
    """What a person answers to a question, no by default; None where input or output is no
    terminal, so that whoever answered could not have read what it is about."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    try:
        return "yes" if typer.confirm(harmless(question), default=False) else "no"
    except typer.Abort:
        typer.echo("", err=True)
        return "interrupted"


def text(words: str, style: str = "") -> Text:
    """A text with a style."""
    return Text(harmless(words), style=style)


def table(*headers: str) -> Table:
    """A table without lines whose cells break rather than lose their end: ids are there to be
    copied."""
    return Table(
        *(Column(text(header), overflow="fold") for header in headers), box=None, pad_edge=False
    )


def print_json(value: Any) -> None:
    """Indented JSON on standard output."""
    sys.stdout.write(
        UNSAFE.sub(_escaped, msgspec.json.format(msgspec.json.encode(value)).decode()) + "\n"
    )


def _escaped(found: re.Match[str]) -> str:
    """A character as JSON escapes it; those between values are line breaks of the layout."""
    if found[0] == "\n":
        return "\n"
    halves = found[0].encode("utf-16-be")
    return "".join(f"\\u{halves[at] * 256 + halves[at + 1]:04x}" for at in range(0, len(halves), 2))

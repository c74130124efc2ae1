"""Tables as CSV and as one HTML page, for sign-off and spreadsheets: what a record holds does
nothing in either, and the files are their owner's only, since they hold personal data."""

import csv
import html
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from runtime.harmless import harmless
from runtime.private import open_private

# What a spreadsheet calculates, and what it may drop before it looks (OWASP, CSV Injection);
# fullwidth forms count as the characters they stand for.
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
_NUMBER = re.compile(r"-\d+(\.\d+)?", re.ASCII)  # a spreadsheet calculates nothing there
_LINES = "\n\t"
_STYLE = (
    "body{font:14px sans-serif}table{border-collapse:collapse}td,th{border:1px solid "
    "#999;padding:2px 6px}"
)

Row = Sequence[str]
Table = tuple[str, Row, Sequence[Row]]  # heading, columns, rows


def csv_text(columns: Row, rows: Iterable[Row]) -> str:
    """A header line and a line for each row; a text that a spreadsheet would calculate begins with
    an apostrophe. A negative number is one."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(each) for each in row] for row in rows)
    return stream.getvalue()


def write_csv(file: Path, columns: Row, rows: Iterable[Row]) -> None:
    """A table as `csv_text` has it. Raises OSError."""
    write(file, csv_text(columns, rows))


def html_text(title: str, summary: str, tables: Iterable[Table]) -> str:
    """One page that needs nothing else; each table has a heading."""
    parts = []
    for heading, columns, rows in tables:
        head = "".join(f"<th>{_escaped(name)}</th>" for name in columns)
        body = "\n".join(
            f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows
        )
        titled = f"<h2>{_escaped(heading)}</h2>\n" if heading else ""
        parts.append(f"{titled}<table>\n<tr>{head}</tr>\n{body}\n</table>\n")
    return (
        "<!doctype html>\n<html lang=en><meta charset=utf-8>\n"
        f"<title>{_escaped(title)}</title><style>{_STYLE}</style>\n"
        f"<h1>{_escaped(title)}</h1>\n<p>{_escaped(summary)}</p>\n{''.join(parts)}</html>\n"
    )


def write_html(file: Path, title: str, summary: str, tables: Iterable[Table]) -> None:
    """A page as `html_text` has it. Raises OSError."""
    write(file, html_text(title, summary, tables))


def write(file: Path, text: str) -> None:
    """A file for its owner only. Raises OSError."""
    with open_private(file) as stream:
        stream.write(text)


def cell(value: Any) -> str:
    """A value of a field as text; blank for none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def inert(text: str) -> str:
    """The text behind an apostrophe where a spreadsheet would calculate it, spaces before it
    aside."""
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _cell(text: str) -> str:
    # The writer puts no quotes around a carriage return by itself, after which a new row would
    # begin.
    plain = text if _NUMBER.fullmatch(text) else inert(text.replace("\r\n", "\n"))
    return harmless(plain, keep=_LINES)


def _escaped(text: str) -> str:
    return html.escape(harmless(text, keep=_LINES))

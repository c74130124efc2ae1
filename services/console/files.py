"""Tables as CSV and as one HTML page, for sign-off and spreadsheets."""

import csv
import html
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_STYLE = "body{font:14px sans-serif}table{border-collapse:collapse}td,th{border:1px solid #999;padding:2px 6px}"

Row = Sequence[str]


def write_csv(file: Path, columns: Row, rows: Iterable[Row]) -> None:
    """A header line and a line for each row; a text that a spreadsheet would calculate begins with an apostrophe.
    Raises OSError."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_inert(each) for each in row] for row in rows)


def write_html(file: Path, title: str, summary: str, tables: Iterable[tuple[str, Row, Sequence[Row]]]) -> None:
    """One page that needs nothing else; each table has a heading. Raises OSError."""
    parts = []
    for heading, columns, rows in tables:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        body = "\n".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        titled = f"<h2>{html.escape(heading)}</h2>\n" if heading else ""
        parts.append(f"{titled}<table>\n<tr>{head}</tr>\n{body}\n</table>\n")
    file.write_text(
        "<!doctype html>\n<html lang=en><meta charset=utf-8>\n"
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>\n"
        f"<h1>{html.escape(title)}</h1>\n<p>{html.escape(summary)}</p>\n{''.join(parts)}</html>\n",
        encoding="utf-8",
    )


def cell(value: Any) -> str:
    """A value of a field as text; blank for none."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text

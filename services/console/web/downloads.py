"""Files that a page gives: what a record holds does nothing in a spreadsheet or in a browser."""

from collections.abc import Iterable

from starlette.responses import Response

from services.console.files import Row, csv_text


def as_csv(name: str, columns: Row, rows: Iterable[Row]) -> Response:
    """A table as a file for a spreadsheet."""
    return _attached(f"{name}.csv", csv_text(columns, rows), "text/csv")


def as_html(name: str, page: str) -> Response:
    """A page that needs nothing else, as a file."""
    return _attached(f"{name}.html", page, "text/html")


def _attached(name: str, text: str, kind: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=kind, headers=headers)

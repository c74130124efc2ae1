"""Small server-rendered HTML for the page that each simulator shows at `/`; it works without
JavaScript.

Text is escaped unless it is `Html`, so what a vendor's record holds cannot become markup.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal
from urllib.parse import quote

from starlette.responses import HTMLResponse

_STYLE: Final = (
    ":root{color-scheme:light dark}"
    "body{font:14px/1.5 system-ui,sans-serif;margin:0 auto;max-width:1200px;padding:0 1rem 3rem}"
    "nav a{margin-right:1rem}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}"
    ".wide{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{border-bottom:1px solid #8886;padding:.25rem .6rem;text-align:left;vertical-align:top}"
    "td.number{text-align:right;font-variant-numeric:tabular-nums}"
    "form.fields{display:grid;grid-template-columns:max-content minmax(12rem,32rem);gap:.4rem 1rem}"
    "form.fields button{grid-column:2;justify-self:start}"
    "input,select,textarea{font:inherit;width:100%;box-sizing:border-box}"
    "input[type=checkbox]{width:auto;justify-self:start}"
    "button{font:inherit;padding:.2rem .9rem}"
    ".note{border-left:4px solid #2a7;padding:.3rem .8rem}"
    ".error{border-left:4px solid #c33;padding:.3rem .8rem}"
)

FieldKind = Literal["text", "textarea", "select", "checkbox", "hidden", "number", "password"]
NoteKind = Literal["note", "error"]


class Html(str):
    """Text that is markup already and goes out as it is."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form. `value` is what it holds now (a checkbox: "true" or ""); `options` are
    for select."""

    name: str
    value: str = ""
    label: str = ""
    kind: FieldKind = "text"
    options: tuple[str, ...] = ()
    hint: str = ""


def html(value: object) -> Html:
    """`value` as markup: `Html` as it is, None as nothing, a number or text escaped."""
    if isinstance(value, Html):
        return value
    return Html("" if value is None else escape(str(value)))


def join(parts: Iterable[object], separator: str = "\n") -> Html:
    """The parts one after another, each escaped unless it is markup."""
    return Html(separator.join(html(part) for part in parts))


def path(*segments: str) -> str:
    """`/a/b` with every segment percent-encoded, ready for `link` and `form`."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


def link(url: str, text: object) -> Html:
    return Html(f'<a href="{escape(url)}">{html(text)}</a>')


def heading(text: object, anchor: str = "") -> Html:
    """A second-level heading, to which `#anchor` leads."""
    return Html(
        f'<h2 id="{escape(anchor)}">{html(text)}</h2>' if anchor else f"<h2>{html(text)}</h2>"
    )


def paragraph(text: object) -> Html:
    return Html(f"<p>{html(text)}</p>")


def note(text: object, kind: NoteKind = "note") -> Html:
    """A message to the reader; `kind` "error" for what went wrong."""
    return Html(
        f'<p class="{kind}" role="{"alert" if kind == "error" else "status"}">{html(text)}</p>'
    )


def layout(title: str, body: object, links: Mapping[str, str] | None = None) -> str:
    """A whole page. `links` maps the words of the navigation to their addresses."""
    navigation = join((link(url, words) for words, url in (links or {}).items()), " ")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><nav>{navigation}</nav><h1>{escape(title)}</h1>\n{html(body)}\n</body></html>\n"
    )


def table(headers: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """A table; numbers are aligned right, cells that are None stay empty."""
    head = "".join(f'<th scope="col">{html(header)}</th>' for header in headers)
    lines = ["<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows]
    body = "\n".join(lines)
    return Html(
        f"<div "
        f'class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'
    )


def _cell(value: object) -> str:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return f'<td class="number">{html(value)}</td>' if is_number else f"<td>{html(value)}</td>"


def form(action: str, fields: Iterable[Field], submit: str = "Save") -> Html:
    """A form that posts its fields, form-encoded, to `action`; an unticked checkbox is not sent."""
    inputs = "\n".join(_labelled(field) for field in fields)
    return Html(
        f'<form class="fields" method="post" action="{escape(action)}">{inputs}'
        f'<button type="submit">{escape(submit)}</button></form>'
    )


def button(action: str, text: str, fields: Mapping[str, str] | None = None) -> Html:
    """A form that is nothing but a button; `fields` are posted with it."""
    hidden = "".join(
        _input(Field(name, value, kind="hidden")) for name, value in (fields or {}).items()
    )
    return Html(
        f'<form method="post" action="{escape(action)}">{hidden}<button '
        f'type="submit">{escape(text)}</button></form>'
    )


def search(action: str, text: str = "", name: str = "q") -> Html:
    """A search box that asks `action` for `?q=...`."""
    return Html(
        f'<form method="get" action="{escape(action)}"><input type="search" name="{escape(name)}"'
        f' value="{escape(text)}" aria-label="Search"><button type="submit">Search</button></form>'
    )


def _labelled(field: Field) -> str:
    if field.kind == "hidden":
        return _input(field)
    label = f'<label for="{escape(field.name)}">{escape(field.label or field.name)}</label>'
    return label + _input(field)


def _input(field: Field) -> str:
    names = f'id="{escape(field.name)}" name="{escape(field.name)}"'
    value = escape(field.value)
    match field.kind:
        case "textarea":
            # A browser drops one newline after the opening tag.
            return f'<textarea {names} rows="3">\n{value}</textarea>'
        case "select":
            return f"<select {names}>{_options(field)}</select>"
        case "checkbox":
            ticked = " checked" if field.value == "true" else ""
            return f'<input {names} type="checkbox" value="true"{ticked}>'
        case "hidden":
            return f'<input type="hidden" name="{escape(field.name)}" value="{value}">'
    hint = f' placeholder="{escape(field.hint)}"' if field.hint else ""
    return f'<input {names} type="{field.kind}" value="{value}"{hint}>'


def _options(field: Field) -> str:
    known = field.options if field.value in field.options else (field.value, *field.options)
    return "".join(
        f'<option value="{escape(option)}"{" selected" if option == field.value else ""}>'
        f"{escape(option)}</option>"
        for option in known
    )


def reply(
    title: str, body: object, links: Mapping[str, str] | None = None, status: int = 200
) -> HTMLResponse:
    """`layout` as a response that no cache keeps."""
    return HTMLResponse(layout(title, body, links), status, headers={"cache-control": "no-store"})


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """False for a form that another site's page sends here; browsers name the origin on every
    POST."""
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")

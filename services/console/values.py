"""Values of fields as people read them. Pure; files for machines keep the JSON (`files.cell`)."""

from typing import Any

from services.console.files import cell


def shown(name: str, value: Any) -> str:
    """A value in words: an address in one line, a price with its currency, the lines of an order
    one after the other; blank for none."""
    match name, value:
        case "address", dict():
            place = " ".join(filter(None, (_of(value, "zip"), _of(value, "city"))))
            parts = (_of(value, "line1"), _of(value, "line2"), place, _of(value, "country"))
            return ", ".join(filter(None, parts))
        case "price", dict():
            return " ".join(filter(None, (_of(value, "currency"), _of(value, "amount"))))
        case "lines", list():
            return "; ".join(map(_line, value))
    return cell(value)


def _line(line: Any) -> str:
    if not isinstance(line, dict):
        return cell(line)
    what = _of(line, "description") or _of(line, "product_id") or _of(line, "id") or "-"
    return f"{_of(line, 'quantity') or '1'} x {what} {_of(line, 'net')}".rstrip()


def _of(held: dict[str, Any], name: str) -> str:
    return cell(held.get(name))


def change(name: str, present: Any, planned: Any, blank: str = "blank") -> str:
    """`+47 1 -> +47 2`; a side without a value is `blank`."""
    return f"{shown(name, present) or blank} -> {shown(name, planned) or blank}"

"""What must be true when everything is quiet again, judged from the editors' log and from what both
systems show over their APIs.

Imports neither the product nor the simulators. What the fields of both vendors mean to each other
is written here a second time, from the vendors' descriptions.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.faults.books import SYSTEMS, Books, Kind, System, mark_of
from tests.faults.desk import FIELDS, Edit, Record
from tests.faults.proxy import Passed
from tests.faults.story import blanks, leaves, written_twice

LISTS = ("rejected", "ambiguous", "waiting", "conflicts", "stuck", "differing", "duplicates")
# Lists of `tandem status` that say why a record is not on the other side.
HELD_BACK = ("rejected", "ambiguous", "waiting", "conflicts", "stuck")
CENT = Decimal("0.01")
ZONE = ZoneInfo("Europe/Oslo")
GO = {
    "first_name": "FirstName",
    "email": "EmailAddress",
    "phone": "PhoneNumber",
    "description": "Description",
}


@dataclass
class Told:
    """What the product says of itself: `tandem lost --json`, the tenant's part of `tandem status
    --json`, `tandem findings --json`, `tandem plan --json` and the journal."""

    lost: list[dict[str, Any]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)
    planned: list[dict[str, Any]] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)

    def listed(self, keys: Iterable[str], lists: Iterable[str] = HELD_BACK) -> bool:
        """Whether one of these link keys stands in one of the lists, or is planned and held."""
        wanted = set(keys)
        named = {each["key"] for name in lists for each in self.status.get(name, ())}
        return bool(wanted & (named | {each["link"] for each in self.planned}))


@dataclass
class Verdict:
    """What is wrong, in words, by the columns of the table."""

    missing: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    needless: list[str] = field(default_factory=list)
    flip_backs: list[str] = field(default_factory=list)

    def words(self) -> Iterator[str]:
        for name in ("missing", "duplicated", "lost", "unexplained", "needless", "flip_backs"):
            for each in getattr(self, name):
                yield f"{name}: {each}"


class Seen:
    """Both systems, read once: every record by kind, system and mark."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.raw: dict[System, dict[Kind, list[dict[str, Any]]]] = {
            system: {kind: books.all(system, kind) for kind in ("person", "product", "order")}
            for system in SYSTEMS
        }
        self.invoices = books.pages("/invoices", "invoice")
        self._marked: dict[tuple[System, Kind, str | None], list[dict[str, Any]]] = {}
        for system, tables in self.raw.items():
            for kind, rows in tables.items():
                for raw in rows:
                    self._marked.setdefault((system, kind, mark_of(kind, raw)), []).append(raw)

    def of(self, system: System, kind: Kind, mark: str) -> list[dict[str, Any]]:
        return self._marked.get((system, "person" if kind == "company" else kind, mark), [])

    def keys(self, record: Record) -> list[str]:
        """The names under which the product may list a record."""
        names = [id if system == "chargebee" else f"go-{id}" for system, id in record.ids.items()]
        for raw in self.of("chargebee", record.kind, record.mark):
            names.append(str(raw["id"]))
        for raw in self.of("poweroffice", record.kind, record.mark):
            names.append(f"go-{raw['Id']}")
        return names


def judge(
    records: Mapping[str, Record],
    log: list[Edit],
    seen: Seen,
    told: Told,
    *,
    passed: Sequence[Passed] = (),
    expected: Iterable[str] = (),
    allowed: Iterable[str] = (),
) -> Verdict:
    """`passed` are the product's writes as the proxy saw them; `expected` the marks that the
    product must list, since they cannot come over, `allowed` those that it may list."""
    verdict = Verdict()
    _strangers(records, seen, verdict)
    wanted, by_place = set(expected), dict[tuple[str, str], list[Edit]]()
    for edit in log:
        by_place.setdefault((edit.mark, edit.field), []).append(edit)
    for record in records.values():
        _presence(record, seen, told, verdict, must_be_listed=record.mark in wanted)
        if record.kind == "order":
            _order(record, seen, told, verdict)
        for name in FIELDS[record.kind]:
            if (edits := by_place.get((record.mark, name))) is not None:
                _field(record, name, edits, seen, told, verdict, passed)
    _listings(records, seen, told, wanted | set(allowed), verdict)
    needless, flip_backs = written_twice(log, passed, told.journal)
    verdict.needless += needless
    verdict.flip_backs += flip_backs
    return verdict


# -- presence


def sides_of(record: Record) -> tuple[System, ...]:
    """Where a record belongs: a draft of Go stays there until it is sent."""
    if record.kind == "order" and record.born == "poweroffice" and "sent" not in record.fate:
        return ("poweroffice",)
    return SYSTEMS


def _strangers(records: Mapping[str, Record], seen: Seen, verdict: Verdict) -> None:
    for system in SYSTEMS:
        for kind, rows in seen.raw[system].items():
            for raw in rows:
                if mark_of(kind, raw) not in records:
                    id = raw.get("Id", raw.get("id"))
                    verdict.unexplained.append(f"{kind} {id} of {system} was made by nobody")


def _presence(
    record: Record, seen: Seen, told: Told, verdict: Verdict, *, must_be_listed: bool
) -> None:
    what = f"{record.kind} {record.mark}"
    is_listed = told.listed(seen.keys(record))
    if must_be_listed and not is_listed:
        verdict.unexplained.append(f"{what} cannot come over, and is not listed")
    for system in SYSTEMS:
        if f"gone_{system}" in record.facts:
            continue
        count = len(seen.of(system, record.kind, record.mark))
        due = system in sides_of(record)
        if count == 0 and due and not is_listed:
            verdict.missing.append(f"{what} is not in {system}")
        elif count > 1 and told.listed(seen.keys(record), ("duplicates", "ambiguous")):
            continue
        elif count > 1 or (count and not due):
            verdict.duplicated.append(f"{what} is {count} times in {system}")
        if system == "chargebee" and record.kind == "order" and due:
            made = [raw for raw in seen.invoices if raw.get("po_number") == record.mark]
            if len(made) > 1:
                verdict.duplicated.append(f"{what} has {len(made)} invoices in Chargebee")


# -- values


def value_in(system: System, kind: Kind, raw: Mapping[str, Any], name: str) -> str | None:
    """A field as either system shows it: blanks around it and blank values count for nothing, and
    an address is one value."""
    if name == "address":
        held = raw.get("MailAddress" if system == "poweroffice" else "billing_address") or {}
        return _address(system, held)
    if name == "price":
        return _price(system, raw)
    if kind == "order":
        return _day(system, raw, name)
    if system == "poweroffice":
        return _text(raw.get("Name" if name == "name" else GO[name]))
    if name == "name":
        names = ("company",) if kind == "company" else ("external_name", "name")
        return next((text for each in names if (text := _text(raw.get(each)))), None)
    return _text(raw.get(name))


def _address(system: System, held: Mapping[str, Any]) -> str | None:
    names = (
        ("AddressLine1", "AddressLine2", "ZipCode", "City", "CountryCode")
        if system == "poweroffice"
        else ("line1", "line2", "zip", "city", "country")
    )
    parts = [text for name in names if (text := _text(held.get(name)))]
    return " / ".join(parts) or None


def _price(system: System, raw: Mapping[str, Any]) -> str | None:
    if system == "poweroffice":
        return None if raw.get("UnitPrice") is None else f"{Decimal(str(raw['UnitPrice'])):.2f}"
    prices = [
        price
        for price in raw.get("prices", ())
        if price["currency_code"] == "NOK" and price.get("status", "active") == "active"
    ]
    return f"{Decimal(prices[0]['price']) / 100:.2f}" if len(prices) == 1 else None


def _day(system: System, raw: Mapping[str, Any], name: str) -> str | None:
    """Chargebee keeps moments, and means the day in Norway."""
    if system == "chargebee":
        moment = raw.get({"order_date": "order_date", "delivery_date": "shipping_date"}[name])
        return None if moment is None else f"{datetime.fromtimestamp(moment, ZONE):%Y-%m-%d}"
    names = {"order_date": ("SalesOrderDate", "OrderDate"), "delivery_date": ("DeliveryDate",)}
    held = next((raw[each] for each in names[name] if raw.get(each)), None)
    return None if held is None else str(held)[:10]


def _text(value: Any) -> str | None:
    return (str(value).strip() or None) if value is not None else None


def entered(name: str, value: str) -> str | None:
    """What an entered value must look like on both sides; None where a field was emptied."""
    return f"{value} / 0150 / Oslo / NO" if name == "address" else value or None


def _field(
    record: Record,
    name: str,
    edits: list[Edit],
    seen: Seen,
    told: Told,
    verdict: Verdict,
    passed: Sequence[Passed],
) -> None:
    held = {
        system: value_in(system, record.kind, rows[0], name)
        for system in SYSTEMS
        if len(rows := seen.of(system, record.kind, record.mark)) == 1
    }
    if len(held) < 2:
        return
    what = f"{name} of {record.kind} {record.mark}"
    last = edits[-1]
    ours, theirs = held["chargebee"], held["poweroffice"]
    if ours != theirs:
        if not told.listed(seen.keys(record), LISTS):
            verdict.unexplained.append(f"{what}: Chargebee holds {ours!r}, Go {theirs!r}")
        return
    if ours == entered(name, last.value):
        return
    newest = {edit.system: edit for edit in edits}
    others = [edit for edit in newest.values() if edit.system != last.system]
    stands = [edit for edit in others if entered(name, edit.value) == ours]
    is_told = _told_lost(last, told, seen.keys(record))
    if not stands or not (is_told or _is_ours_too(last, record, seen, passed)):
        verdict.lost.append(
            f"{what}: {last.system} was given {last.value!r} (edit {last.number}), both hold "
            f"{ours!r}"
        )


def _is_ours_too(edit: Edit, record: Record, seen: Seen, passed: Iterable[Passed]) -> bool:
    """Whether somebody emptied a field that the product was about to empty as well, since it had
    been emptied on the other side: then nothing was entered that would be another value, and the
    other side's next one follows. No other values are ever the same."""
    rows = seen.of(edit.system, record.kind, record.mark)
    ids = [str(row.get("Id", row.get("id"))) for row in rows]
    return not edit.value and any(
        write.system == edit.system
        and write.status < 300
        and write.at >= edit.began
        and edit.field in blanks(write)
        and any(write.target.partition("?")[0].endswith(f"/{id}") for id in ids)
        for write in passed
    )


def _told_lost(edit: Edit, told: Told, keys: Iterable[str]) -> bool:
    return any(
        each["system"] == edit.system
        and (
            edit.value in set(leaves(each["losing"]))
            if edit.value
            else (each["link"] in keys and each["field"] == edit.field)
            and each["losing"] in (None, "")
        )
        for each in told.lost
    )


# -- orders


def _order(record: Record, seen: Seen, told: Told, verdict: Verdict) -> None:
    """Customer, totals and lines on both sides, to the last unit, or a finding says so."""
    ours = seen.of("chargebee", "order", record.mark)
    theirs = seen.of("poweroffice", "order", record.mark)
    if not ours or not theirs:
        return
    keys = seen.keys(record)
    has_finding = any(each["key"] in keys for each in told.findings)
    if "needs_finding" in record.facts and not has_finding:
        verdict.unexplained.append(
            f"order {record.mark} ({', '.join(record.fate)}): no finding tells of it"
        )
    if has_finding:
        return
    order, document = ours[0], theirs[0]
    amounts = {
        "total": (Decimal(order["total"]) / 100, Decimal(str(document["TotalAmount"]))),
        "net": (
            Decimal(order["total"] - order.get("tax", 0)) / 100,
            Decimal(str(document["NetAmount"])),
        ),
    }
    what = f"order {record.mark}"
    for name, (left, right) in amounts.items():
        if abs(left - right) > CENT:
            verdict.unexplained.append(f"{what}: {name} is {left} in Chargebee and {right} in Go")
    lines = Counter(
        Decimal(line["unit_price"] * line["fulfillment_quantity"]) / 100
        for line in order.get("order_line_items", ())
    )
    documents = Counter(
        Decimal(str(line["NetAmount"])).quantize(CENT) for line in seen.books.go_lines(document)
    )
    if lines != documents:
        verdict.unexplained.append(
            f"{what}: lines are {sorted(lines)} in Chargebee and {sorted(documents)} in Go"
        )
    buyers = [
        mark_of("person", raw)
        for system, id in (("chargebee", order["customer_id"]), ("go", document["CustomerId"]))
        for raw in seen.raw["chargebee" if system == "chargebee" else "poweroffice"]["person"]
        if raw.get("id", raw.get("Id")) == id
    ]
    if buyers != [record.facts["customer"]] * 2:
        verdict.unexplained.append(
            f"{what}: its customers are {buyers}, not {record.facts['customer']}"
        )


# -- what the product lists


def _listings(
    records: Mapping[str, Record], seen: Seen, told: Told, wanted: set[str], verdict: Verdict
) -> None:
    """Nobody gave a reason to list anything but what is expected."""
    due = {key for mark in wanted for key in seen.keys(records[mark])}
    for name in ("rejected", "ambiguous", "waiting", "stuck"):
        for each in told.status.get(name, ()):
            if each["key"] not in due:
                verdict.unexplained.append(
                    f"{each['entity']} {each['key']} is listed as {name}: {each['reason']}"
                )

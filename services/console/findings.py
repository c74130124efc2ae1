"""Findings as rows: what a person with the books in hand must act on, in order, chosen, added up.
Pure."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from typing import get_args

import msgspec

from contracts.entities import SYSTEM_NAMES, SYSTEMS, EntityName, System
from contracts.findings import settlement
from contracts.messages import Finding, FindingKind, LineAmounts, Link, LinkState, Settled
from contracts.said import Said, english, say
from services.console.files import Row

KINDS: tuple[FindingKind, ...] = get_args(FindingKind)
RULES = frozenset(
    {"finding", "finding_ended", "settled_finding"}
)  # of journal entries about findings
COLUMNS = (
    "finding",
    "entity",
    "link",
    "state",
    "Chargebee id",
    "Chargebee document",
    "Go id",
    "Go document",
    "currency",
    "amount",
    "since",
    "what",
    "to do",
    "lines that differ",
    "settled at",
    "settled by",
    "remark",
)
LINE_COLUMNS = ("link", "finding", "line", "net Chargebee", "net Go", "VAT Chargebee", "VAT Go")
SUM_COLUMNS = ("finding", "currency", "settled", "findings", "amount")


class Found(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One finding with the link that it is about: `ids` are the records by system, `settled` says
    who has settled it as it stands, None where that is left to do, `called` what people call the
    record, blank where nobody looked."""

    entity: EntityName
    key: str
    state: LinkState
    ids: dict[System, str]
    finding: Finding
    settled: Settled | None = None
    called: str = ""


class Choice(msgspec.Struct, kw_only=True, frozen=True):
    """Which findings are meant. `min_amount` leaves out those without an amount, `since` (ISO 8601
    UTC) those that were seen before; settled ones are meant only with `settled`."""

    kind: FindingKind | None = None
    entity: EntityName | None = None
    min_amount: Decimal | None = None
    currency: str | None = None
    since: str = ""
    settled: bool = False


class Sum(msgspec.Struct, kw_only=True, frozen=True):
    """Of one kind in one currency: how many findings, and what is at stake, signs aside; None where
    no amount is known."""

    kind: FindingKind
    currency: str | None
    settled: bool
    findings: int
    amount: Decimal | None


def found_in(link: Link) -> Iterator[Found]:
    """Every finding of a link, settled or not."""
    if not link.findings:
        return
    sides = {"chargebee": link.chargebee, "poweroffice": link.poweroffice}
    ids: dict[System, str] = {
        system: side.id for system in SYSTEMS if (side := sides[system]) is not None
    }
    for finding in link.findings:
        yield Found(
            entity=link.entity,
            key=link.key,
            state=link.state,
            ids=ids,
            finding=finding,
            settled=settlement(link, finding),
        )


def left_in(link: Link) -> list[Found]:
    """The findings of a link that nobody has settled."""
    return [found for found in found_in(link) if found.settled is None]


def chosen(found: Iterable[Found], choice: Choice) -> list[Found]:
    """Those that are meant, in order."""
    return ordered(each for each in found if _is_meant(each, choice))


def _is_meant(found: Found, choice: Choice) -> bool:
    finding, size = found.finding, _size(found.finding)
    return (
        (choice.settled or found.settled is None)
        and choice.kind in (None, finding.kind)
        and choice.entity in (None, found.entity)
        and choice.currency in (None, finding.currency)
        and (choice.min_amount is None or (size is not None and size >= choice.min_amount))
        and finding.since >= choice.since
    )


def ordered(found: Iterable[Found]) -> list[Found]:
    """By currency, there the largest amount first, then the oldest; those without a currency or an
    amount after them, and last what is about parts of invoices, of which a site may have many."""
    return sorted(found, key=_place)


def _place(found: Found) -> tuple[bool, bool, str, bool, Decimal, str, str, str]:
    finding, size = found.finding, _size(found.finding)
    return (
        finding.kind == "not_whole",
        finding.currency is None,
        finding.currency or "",
        size is None,
        -(size or Decimal(0)),
        finding.since,
        found.entity,
        found.key,
    )


def _size(finding: Finding) -> Decimal | None:
    return None if finding.amount is None else abs(Decimal(finding.amount))


def sums(found: Iterable[Found]) -> list[Sum]:
    """By kind and currency; what is settled apart from what is not."""
    held: dict[tuple[bool, FindingKind, str | None], list[Finding]] = {}
    for each in found:
        held.setdefault(
            (each.settled is not None, each.finding.kind, each.finding.currency), []
        ).append(each.finding)
    places = sorted(
        held, key=lambda name: (name[0], KINDS.index(name[1]), name[2] is None, name[2] or "")
    )
    return [_sum(place, held[place]) for place in places]


def _sum(place: tuple[bool, FindingKind, str | None], findings: list[Finding]) -> Sum:
    settled, kind, currency = place
    sizes = [size for finding in findings if (size := _size(finding)) is not None]
    amount = sum(sizes, start=Decimal(0)) if sizes else None
    return Sum(kind=kind, currency=currency, settled=settled, findings=len(findings), amount=amount)


def amount_of(text: str) -> Decimal:
    """An amount as a person types it. Raises ValueError."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{text!r} is no amount: give it as 1000 or 1000.50, without a currency")
    return amount


def currency_of(text: str) -> str:
    """A currency as a person types it. Raises ValueError."""
    if not re.fullmatch("[A-Za-z]{3}", text):
        raise ValueError(f"{text!r} is no currency: give three letters, such as NOK")
    return text.upper()


# -- words


def counted(found: list[Found]) -> str:
    """How many there are, of which kinds, and what is at stake in each currency."""
    return english(*counted_said(found))


def counted_said(found: list[Found]) -> list[Said]:
    """The same as sentences."""
    counts = {kind: sum(each.finding.kind == kind for each in found) for kind in KINDS}
    kinds = [say("figure", what=kind, count=count) for kind, count in counts.items() if count]
    totals: dict[str, Decimal] = {}
    for each in found:
        if (size := _size(each.finding)) is not None and each.finding.currency is not None:
            totals[each.finding.currency] = totals.get(each.finding.currency, Decimal(0)) + size
    stake = [say("amount", total=f"{name} {total:f}") for name, total in sorted(totals.items())]
    number = len(found) or "no"
    said = say("finding_counted" if number == 1 else "findings_counted", count=number, parts=kinds)
    return [said, say("at_stake", parts=stake)] if stake else [said]


def number_of(count: int) -> str:
    """`1 finding`, `2 findings`, `no findings`."""
    return "1 finding" if count == 1 else f"{count or 'no'} findings"


def head_of(found: Found) -> str:
    """The link, the kind and the amount of a finding, and both records with the numbers of their
    documents."""
    finding = found.finding
    parts = [
        finding.kind,
        *([money_of(finding)] if finding.amount is not None else []),
        documents_of(found),
    ]
    record = f"{found.called} ({found.key})" if found.called else found.key
    return f"{found.entity} {record}: {', '.join(parts)}"


def full_of(found: Found) -> str:
    """All of a finding but its lines, in one line."""
    return f"{head_of(found)}: {found.finding.text}; {found.finding.todo}"


def money_of(finding: Finding) -> str:
    """`NOK 1250.00`; blank where the fact has no amount."""
    return " ".join(each for each in (finding.currency, finding.amount) if each)


def documents_of(found: Found) -> str:
    """`Chargebee 7 (36), Go 5f0a… (20007)`: the id of each system's record, and in brackets the
    number of its document."""
    numbers = {"chargebee": found.finding.chargebee, "poweroffice": found.finding.poweroffice}
    return ", ".join(
        f"{SYSTEM_NAMES[system]} {_document(found.ids.get(system), numbers[system])}"
        for system in SYSTEMS
    )


def _document(record: str | None, number: str | None) -> str:
    return f"{record or '-'} ({number})" if number else record or "-"


def brief_of(found: Found) -> str:
    """Kind, amount and words of a finding, where its link is named beside it."""
    money = money_of(found.finding) if found.finding.amount is not None else ""
    return f"{found.finding.kind}{f', {money}' if money else ''}: {found.finding.text}"


def brief_said(found: Found) -> Said:
    """The same as a sentence."""
    finding = found.finding
    why = finding.said or finding.text
    if finding.amount is None:
        return say("finding_brief", kind=finding.kind, why=why)
    return say("finding_brief_money", kind=finding.kind, total=money_of(finding), why=why)


def line_of(line: LineAmounts) -> str:
    """One line of an order that is not the same on both sides."""
    said = f"net {line.chargebee_net or '-'} in Chargebee, {line.poweroffice_net or '-'} in Go"
    if (line.chargebee_tax, line.poweroffice_tax) != (None, None):
        said += f"; VAT {line.chargebee_tax or '-'} and {line.poweroffice_tax or '-'}"
    return f"{line.text}: {said}" if line.text else said


def rows(found: Iterable[Found]) -> Iterator[Row]:
    """A row with COLUMNS for each."""
    for each in found:
        finding, settled = each.finding, each.settled
        ids = [each.ids.get(system, "") for system in SYSTEMS]
        lines = "; ".join(map(line_of, finding.lines))
        said = (settled.at, settled.by, settled.remark) if settled is not None else ("", "", "")
        yield (
            finding.kind,
            each.entity,
            each.key,
            each.state,
            ids[0],
            finding.chargebee or "",
            ids[1],
            finding.poweroffice or "",
            finding.currency or "",
            finding.amount or "",
            finding.since,
            finding.text,
            finding.todo,
            lines,
            *said,
        )


def line_rows(found: Iterable[Found]) -> Iterator[Row]:
    """The lines that differ, a row with LINE_COLUMNS for each."""
    for each in found:
        for line in each.finding.lines:
            amounts = (
                line.chargebee_net,
                line.poweroffice_net,
                line.chargebee_tax,
                line.poweroffice_tax,
            )
            yield (each.key, each.finding.kind, line.text, *(amount or "" for amount in amounts))


def sum_rows(added: Iterable[Sum]) -> Iterator[Row]:
    """The sums with SUM_COLUMNS."""
    for each in added:
        amount = "" if each.amount is None else f"{each.amount:f}"
        yield (
            each.kind,
            each.currency or "-",
            "yes" if each.settled else "no",
            str(each.findings),
            amount,
        )

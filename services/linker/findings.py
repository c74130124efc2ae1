"""What a person with the books in hand must be told of one link. Pure.

Findings are computed from the states of both sides, never from an event: they hold or they do not.
What stands in Chargebee and what stands in Go is compared as a ledger would: what each document
claims, less what was credited.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from contracts.messages import Finding, FindingKind, LineAmounts, Link, Side
from contracts.notices import INVOICED
from contracts.said import Said, english, say
from contracts.units import is_currency, rounding_step
from services.linker.state import Policy, born_in_go, both, is_gone

ZERO, CENT = Decimal(0), Decimal("0.01")
MAX_LINES = 20  # of a finding; the sums are over all of them
MAX_ROUND_OFF = Decimal(1)  # of an invoice, in major units: Chargebee allows 99 minor ones
AMOUNTS = ("net", "tax", "total")
ALIKE = (
    ("description", "net", "tax"),
    ("description", "net"),
    ("description",),
    ("net", "tax"),
    ("net",),
)
Line = dict[str, Any]
MONEY: frozenset[FindingKind] = frozenset({"money_differs", "vat_differs"})
DROPPED = {
    "vat_number": (say("dropped_vat_number"), say("enter_vat_number")),
    "round_off": (say("dropped_round_off"), say("set_round_off")),
}


@dataclass(frozen=True)
class Around:
    """What other links say about the documents of this one: `ordered` is the sum of all orders of
    its Chargebee invoice, None where another order of it is the one that says so, `credited` what
    Go's credit notes that name its invoice add up to (both with tax), `credit_notes` their
    numbers."""

    ordered: Decimal | None = None
    credited: Decimal = ZERO
    credit_notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """What one system says of an order. Amounts are decimal and in `currency`, `credited` and
    `total` with tax.

    `stands` says that it claims money: not cancelled, void or deleted. `number` names it for a
    person."""

    number: str
    total: Decimal
    credited: Decimal
    stands: bool

    @property
    def claim(self) -> Decimal:
        """What it still asks for."""
        return max(ZERO, self.total - self.credited) if self.stands else ZERO

    @property
    def taken_back(self) -> Decimal:
        """What it no longer asks for."""
        return min(self.total, self.credited) if self.stands else self.total


def findings_of(policy: Policy, link: Link, around: Around) -> list[Finding]:
    """All that holds of a link, each kind at most once; `since` is left to whoever keeps them."""
    found = list(_dropped(link))
    if link.entity != "order":
        return found
    ours, theirs = link.chargebee, link.poweroffice
    if (
        ours is not None
        and ours.seen is not None
        and not born_in_go(link)
        and policy.order_source == "orders"
    ):
        found += _not_whole(ours, theirs, around)
    if ours is None or theirs is None or ours.seen is None or theirs.seen is None:
        return found
    found += _documents(policy, link, ours, theirs, around)
    is_moot = is_gone(ours) or (ours.seen.get("invoice") or {}).get("void") or theirs.deleted
    if not is_moot and not (_is_copy(policy, link) and theirs.seen.get("status") == "sent"):
        found += _amounts(link, ours.seen, theirs.seen, around)
    return found


def _finding(
    kind: FindingKind, said: Sequence[Said], todo: Sequence[Said], **named: Any
) -> Finding:
    return Finding(
        kind=kind,
        text=english(*said),
        todo=english(*todo),
        said=tuple(said),
        todo_said=tuple(todo),
        **named,
    )


def _is_copy(policy: Policy, link: Link) -> bool:
    """Whether what stands in Go is a draft that nobody was to send: as it was told when it was
    made, whatever the settings say by now."""
    by_chargebee = (
        policy.invoicing_by == "chargebee"
        if link.notice is None
        else link.notice.startswith(INVOICED)
    )
    return by_chargebee and not born_in_go(link)


def is_rounding(link: Link) -> bool:
    """Whether the VAT of both sides differs, and by no more than rounding."""
    ours, theirs = (
        side.seen if side is not None else None for side in (link.chargebee, link.poweroffice)
    )
    if link.entity != "order" or not ours or not theirs:
        return False
    pairs = [(ours, theirs), *_paired(ours, theirs)]
    apart = any(a is not None and b is not None and _tax(a) != _tax(b) for a, b in pairs)
    return apart and not any(_amounts(link, ours, theirs, Around()))


def _dropped(link: Link) -> Iterator[Finding]:
    if link.chargebee is None or link.poweroffice is None:
        return
    names = dict.fromkeys(
        name for side in (link.chargebee, link.poweroffice) for name in side.incomplete
    )
    told = [DROPPED[name] for name in names if name in DROPPED]
    if not told:
        return
    named: dict[str, Any] = {"chargebee": link.chargebee.id, "poweroffice": link.poweroffice.id}
    if link.entity == "order":
        seen, held = link.chargebee.seen or {}, link.poweroffice.seen or {}
        named = {
            "chargebee": _ours(seen),
            "poweroffice": _theirs(held),
            "currency": seen.get("currency"),
        }
        whole = (seen.get("invoice") or {}).get("total")
        off = abs(Decimal(whole) - _total(seen)) if whole is not None else ZERO
        if "round_off" in names and ZERO < off < MAX_ROUND_OFF:
            named["amount"] = _text(off)
    yield _finding("dropped", [said for said, _ in told], [todo for _, todo in told], **named)


def _not_whole(ours: Side, theirs: Side | None, around: Around) -> Iterator[Finding]:
    seen = ours.seen or {}
    invoice = seen.get("invoice") or {}
    if invoice.get("total") is None or invoice.get("void") or around.ordered is None:
        return
    whole, step = Decimal(invoice["total"]), _step(seen)
    missing = whole - around.ordered
    if missing > (MAX_ROUND_OFF if "round_off" in ours.incomplete else step):
        number = invoice.get("number")
        part, all_of_it = _text(whole - missing), _text(whole)
        yield _finding(
            "not_whole",
            [say("not_whole", number=number, part=part, amount=all_of_it)],
            [say("rest_in_no_order")],
            amount=_text(missing),
            currency=seen.get("currency"),
            chargebee=_ours(seen),
            poweroffice=_theirs(theirs.seen) if theirs is not None and theirs.seen else None,
        )


def documents(link: Link, around: Around) -> tuple[Document, Document]:
    """The order as it stands in Chargebee and in Go. Both sides are known."""
    chargebee, poweroffice = both(link)
    a, b = chargebee.seen or {}, poweroffice.seen or {}
    ours, theirs = a.get("invoice") or {}, b.get("invoice") or {}
    stands = not (is_gone(chargebee) or ours.get("void"))
    # A sale of Go is one invoice in Chargebee, whatever share of it an order there holds.
    whole = ours.get("total") if born_in_go(link) else None
    total = _total(a) if whole is None else Decimal(whole)
    sold = not (poweroffice.deleted or theirs.get("void"))
    return (
        Document(_ours(a), total, Decimal(ours.get("credited") or 0), stands),
        Document(_theirs(b), Decimal(b.get("total") or 0), around.credited, sold),
    )


def _documents(policy: Policy, link: Link, a: Side, b: Side, around: Around) -> Iterator[Finding]:
    """Who has been asked to pay, and who has been given it back."""
    ours, theirs = documents(link, around)
    seen, held = a.seen or {}, b.seen or {}
    status, currency = held.get("status"), seen.get("currency") or held.get("currency")
    step = (
        MAX_ROUND_OFF if "round_off" in a.incomplete else _step(seen)
    )  # a credit note takes the round-off with it
    named: dict[str, Any] = {
        "currency": currency,
        "chargebee": ours.number,
        "poweroffice": theirs.number,
    }
    told = {"ours": _said_of_ours(seen), "theirs": _said_of_theirs(held)}
    is_copy = _is_copy(policy, link)
    if b.deleted or status not in ("sent", "confirmed"):
        return
    twice = is_copy and status == "sent" and ours.claim > step and theirs.claim > step
    if twice:
        yield _finding(
            "invoiced_twice",
            [say("invoiced_twice", **told)],
            [say("credit_in_go", amount=_text(theirs.claim))],
            amount=_text(theirs.claim),
            **named,
        )
        return
    apart = theirs.claim - ours.claim
    if status == "confirmed":
        too_much = ours.taken_back if ours.stands else theirs.total
    elif ours.stands and abs(theirs.total - ours.total) > _step(seen):
        too_much = ZERO  # money_differs says how far apart they still are
    else:
        too_much = apart
    if too_much > step:
        invoice = seen.get("invoice") or {}
        documents_of = {**told, "ours": _said_with_notes(seen)}
        if ours.stands:
            why = say("credited_here", state=status, **documents_of)
        elif invoice.get("void"):
            why = say("void_here", state=status, **documents_of)
        else:
            why = say("cancelled_here", state=status, **documents_of)
        if status != "sent":
            todo = say("back_to_draft")
        elif is_copy:
            todo = say("credit_in_go_unless", amount=_text(too_much))
        else:
            todo = say("credit_in_go", amount=_text(too_much))
        amount = _text(too_much)
        yield _finding("credited_after_invoice", [why], [todo], amount=amount, **named)
    elif -too_much > step and status == "sent" and not (is_copy and ours.claim > step):
        notes = [
            say("document_credit_note", number=each.removeprefix("credit note "))
            for each in around.credit_notes
        ]
        said = (
            say("credited_there", parts=notes, **told) if notes else say("reversed_there", **told)
        )
        amount = _text(-too_much)
        todo = say("credit_in_chargebee", amount=amount)
        yield _finding("credited_in_go", [said], [todo], amount=amount, **named)
    paid = (seen.get("invoice") or {}).get("paid") and not (
        born_in_go(link) and policy.imports_as_paid
    )
    balance = held.get("invoice") or {}
    if (
        status == "sent"
        and paid
        and balance.get("paid") is False
        and theirs.claim > step
        and ours.claim > step
    ):
        left = balance.get("balance")
        open_amount = (
            Decimal(left)
            if left is not None and currency == policy.ledger_currency
            else theirs.claim
        )
        yield _finding(
            "paid_but_open",
            [say("paid_but_open", **told)],
            [say("register_payment")],
            amount=_text(min(open_amount, ours.claim)),  # no more than was paid
            **named,
        )


def _amounts(
    link: Link, ours: dict[str, Any], theirs: dict[str, Any], around: Around
) -> Iterator[Finding]:
    """Whether both sides hold the same money, but for rounding of the VAT."""
    step = _step(ours)
    named: dict[str, Any] = {
        "currency": ours.get("currency") or theirs.get("currency"),
        "chargebee": _ours(ours),
        "poweroffice": _theirs(theirs),
    }
    names: Sequence[str] = AMOUNTS
    whole = (ours.get("invoice") or {}).get("total") if born_in_go(link) else None
    if whole is not None:
        # A sale of Go is one invoice in Chargebee, whatever share of it an order there holds.
        if Decimal(whole) != Decimal(ours.get("total") or 0):
            names = ("total",)
        ours = {**ours, "total": whole}
    currencies = ours.get("currency"), theirs.get("currency")
    if all(currencies) and currencies[0] != currencies[1]:
        sums = [f"{_text(each.get('total'))} {each['currency']}" for each in (ours, theirs)]
        yield _finding(
            "money_differs",
            [say("currency_differs", ours=sums[0], theirs=sums[1])],
            [say("enter_in_currency")],
            amount=_text(ours.get("total")),
            **named,
        )
        return
    here, there = documents(link, around)
    is_sent = theirs.get("status") == "sent"
    if is_sent and abs(there.total - here.total) > step and abs(there.claim - here.claim) <= step:
        return  # what was too much on one side has been credited there
    gaps = {name: Decimal(theirs.get(name) or 0) - Decimal(ours.get(name) or 0) for name in names}
    lines = tuple(_differing(ours, theirs))
    if gaps.get("net", ZERO) != 0 or any(abs(gap) > step for gap in gaps.values()):
        parts = [
            say(
                "sum_differs",
                what=_NAMED[name],
                ours=_text(ours.get(name)),
                theirs=_text(theirs.get(name)),
            )
            for name, gap in gaps.items()
            if gap
        ]
        said = say("money_differs", parts=parts)
        largest = max(gaps.values(), key=abs)
        if is_sent and (here.credited or there.credited):
            apart = _text(abs(there.claim - here.claim))
            said = say("money_differs_credited", parts=parts, amount=apart)
        if is_sent and abs(there.total - here.total) > step:
            largest = there.claim - here.claim
        yield _finding(
            "money_differs",
            [said],
            [say("look_which")],
            amount=_text(abs(largest)),
            lines=lines[:MAX_LINES],
            **named,
        )
        return
    if names == AMOUNTS and (other := [line for line in lines if _tax_gap(line) > step]):
        told = [_vat_of(line) for line in other[:3]]
        said = (
            say("vat_differs_more", lines=told, count=len(other) - 3)
            if len(other) > 3
            else say("vat_differs", lines=told)
        )
        held = tuple(other[:MAX_LINES])
        yield _finding("vat_differs", [said], [say("correct_vat")], lines=held, **named)


def _vat_of(line: LineAmounts) -> Said:
    taxes = {"ours": line.chargebee_tax, "theirs": line.poweroffice_tax}
    return say("line_vat", line=line.text, **taxes) if line.text else say("bare_line_vat", **taxes)


_NAMED = {"net": "net", "tax": "VAT", "total": "total"}


def _paired(
    ours: dict[str, Any], theirs: dict[str, Any]
) -> Iterator[tuple[Line | None, Line | None]]:
    """The lines of both sides that are one line: a person may have put those of the draft into
    another order, and several may be alike. Those that are equal in everything find each other
    first."""
    left, right = list(ours.get("lines") or ()), list(theirs.get("lines") or ())
    for names in ALIKE:
        waiting: dict[tuple[Any, ...], list[Line]] = {}
        for line in reversed(right):
            waiting.setdefault(_marks(line, names), []).append(line)
        rest: list[Line] = []
        for line in left:
            if found := waiting.get(_marks(line, names)):
                yield line, found.pop()
            else:
                rest.append(line)
        left = rest
        kept = {id(line) for lines in waiting.values() for line in lines}
        right = [line for line in right if id(line) in kept]
    yield from zip_longest(left, right)


def _marks(line: Line, names: tuple[str, ...]) -> tuple[Any, ...]:
    amounts = {"net": _net(line), "tax": _tax(line)}
    return tuple(amounts.get(name, line.get(name)) for name in names)


def _differing(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[LineAmounts]:
    for a, b in _paired(ours, theirs):
        if a is None or b is None or (_net(a), _tax(a)) != (_net(b), _tax(b)):
            yield LineAmounts(
                text=str((a or b or {}).get("description") or ""),
                chargebee_net=_amount(a, "net"),
                poweroffice_net=_amount(b, "net"),
                chargebee_tax=_amount(a, "tax"),
                poweroffice_tax=_amount(b, "tax"),
            )


def _amount(line: dict[str, Any] | None, name: str) -> str | None:
    return None if line is None else _text(line.get(name))


def _tax_gap(line: LineAmounts) -> Decimal:
    if line.chargebee_net != line.poweroffice_net:
        return ZERO
    return abs(Decimal(line.chargebee_tax or 0) - Decimal(line.poweroffice_tax or 0))


def _net(line: dict[str, Any]) -> Decimal:
    return Decimal(line.get("net") or 0)


def _tax(held: dict[str, Any]) -> Decimal:
    return Decimal(held.get("tax") or 0)


def _step(seen: dict[str, Any]) -> Decimal:
    """What rounding may cost once: a minor unit of the currency, and never less than Go's two
    decimals."""
    currency = seen.get("currency")
    return rounding_step(currency) if currency and is_currency(currency) else CENT


def _text(amount: Any) -> str:
    """An amount with at least two decimals."""
    whole, _, part = f"{Decimal(amount or 0):f}".partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def _total(seen: dict[str, Any]) -> Decimal:
    return Decimal(seen.get("total") or 0)


def _ours(seen: dict[str, Any]) -> str:
    return english(_said_of_ours(seen))


def _said_of_ours(seen: dict[str, Any]) -> Said:
    number, invoice = seen.get("number"), (seen.get("invoice") or {}).get("number")
    if invoice and invoice == number:  # the invoice itself is the sale
        return say("document_invoice", number=invoice)
    if invoice:
        return say("document_order_invoice", number=number, invoice=invoice)
    return say("document_order", number=number)


def _theirs(seen: dict[str, Any]) -> str:
    return english(_said_of_theirs(seen))


def _said_of_theirs(seen: dict[str, Any]) -> Said:
    invoice = (seen.get("invoice") or {}).get("number")
    if invoice:
        return say("document_invoice", number=invoice)
    return say("document_order", number=seen.get("number"))


def _said_with_notes(seen: dict[str, Any]) -> Said:
    notes = (seen.get("invoice") or {}).get("credit_notes")
    if not notes:
        return _said_of_ours(seen)
    return say("document_with_notes", document=_said_of_ours(seen), notes=", ".join(notes))

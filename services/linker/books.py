"""What the linker does for the books: the findings of its links, and what a draft says of its
invoice. Pure."""

from decimal import Decimal
from typing import Any

import msgspec

from contracts.findings import REMARK_MAX, unsettled
from contracts.messages import Finding, FindingKind, Link, Settled
from contracts.notices import notice
from contracts.said import say
from contracts.vendors import reference_of
from services.linker.arguments import Refused
from services.linker.findings import MONEY, Around, findings_of, is_rounding
from services.linker.session import Session
from services.linker.state import State, born_in_go, by_id

MAX_SISTERS = 200  # orders of one invoice, or credit notes that name one, that are looked at
PAID = "paid"  # the batch of orders that wait since they are paid already
TOTALS = ("net", "tax", "total")  # an older release listed these as differences


def weigh(work: Session, link: Link) -> bool:
    """Bring the findings of a link level with its states; whether they have changed. The link is
    not stored."""
    if link.entity == "product" or (link.entity == "customer" and not _is_marked(link)):
        return False
    before = {each.kind: each for each in link.findings}
    found = {
        each.kind: each for each in findings_of(work.state.policy, link, _around(work.state, link))
    }
    if link.flight is not None and "lines" in link.flight.command.fields:
        # Both sides are about to be the same; until the answer has come nothing is said of their
        # money.
        found = {kind: each for kind, each in found.items() if kind not in MONEY}
        found |= {kind: each for kind, each in before.items() if kind in MONEY}
    kept = [_dated(work, before.get(kind), each) for kind, each in found.items()]
    rounding = is_rounding(link) if link.flight is None else link.rounding
    if rounding and not link.rounding:
        work.journal(
            link, "rounding", "the VAT of both sides differs by rounding", entry="rounding"
        )
    listed = [name for name in link.differences if name not in TOTALS]
    changed = (kept, rounding, listed) != (link.findings, link.rounding, link.differences)
    link.rounding, link.differences = rounding, listed
    for each in kept:
        if (facts_of := _facts_of(each)) != _facts_of(before.get(each.kind)):
            work.journal(link, "finding", f"{each.kind}: {each.text}", None, each.kind, facts_of)
    for kind in before.keys() - found.keys():
        work.journal(
            link, "finding_ended", f"{kind} holds no longer", None, kind, None, before[kind].text
        )
    link.findings = kept
    link.settled = {
        kind: held for kind, held in link.settled.items() if kind in found or kind not in before
    }
    return changed


def _facts_of(finding: Finding | None) -> Any:
    """A finding as the journal has it, in words only: that a release words it anew is no news."""
    if finding is None:
        return None
    return msgspec.to_builtins(msgspec.structs.replace(finding, said=(), todo_said=()))


def _is_marked(link: Link) -> bool:
    ours, theirs = link.chargebee, link.poweroffice
    return bool(
        link.findings
        or (ours is not None and ours.incomplete)
        or (theirs is not None and theirs.incomplete)
    )


def _dated(work: Session, before: Finding | None, found: Finding) -> Finding:
    return msgspec.structs.replace(found, since=before.since if before is not None else work.now)


def _around(state: State, link: Link) -> Around:
    ours, theirs = link.chargebee, link.poweroffice
    ordered: Decimal | None = None
    credited, notes = Decimal(0), []
    if ours is not None and (number := _invoice_no(ours.seen or {})):
        index = f"order|invoice|chargebee|{number}"
        ordered = _ordered(state, index, link) if _speaks(state, index, link) else None
    if theirs is not None and (number := _invoice_no(theirs.seen or {})):
        for note in _others(state, f"order|credits|{number}", link):
            seen = (note.poweroffice and note.poweroffice.seen) or {}
            credited += abs(Decimal(seen.get("total") or 0))
            notes.append(f"credit note {_invoice_no(seen) or seen.get('number')}")
    return Around(ordered, credited, tuple(sorted(notes)))


def _speaks(state: State, index: str, link: Link) -> bool:
    """Whether this order says for all orders of its invoice what they hold: the first of them does,
    and none where they are too many to be looked at."""
    keys = [key for _, key in state.find(index, MAX_SISTERS + 1)]
    return len(keys) <= MAX_SISTERS and link.key == min(
        [link.key, *keys], key=lambda key: (len(key), key)
    )


def _ordered(state: State, index: str, link: Link) -> Decimal:
    orders = [link, *_others(state, index, link)]
    sides = [
        each.chargebee
        for each in orders
        if each.chargebee is not None and not each.chargebee.deleted
    ]
    return sum((Decimal((side.seen or {}).get("total") or 0) for side in sides), Decimal(0))


def _invoice_no(seen: dict[str, Any]) -> str | None:
    number: str | None = (seen.get("invoice") or {}).get("number")
    return number


def _others(state: State, index: str, link: Link) -> list[Link]:
    names = [name for name in state.find(index, MAX_SISTERS) if name != (link.entity, link.key)]
    return [held for name in names if (held := state.get(*name)) is not None]


def weigh_neighbours(work: Session) -> None:
    """Weigh again what a moved document says something about: the order that a credit note of Go
    names, and of the orders of an invoice the first two, since another one may have become the one
    that speaks for all."""
    state = work.state
    for index in state.moved():
        if not index.startswith("order|"):
            continue
        kind, _, number = index.removeprefix("order|").partition("|")
        if kind not in ("credits", "part", "invoice"):
            continue
        if kind == "credits":
            names = state.find(f"order|invoice|poweroffice|{number}", MAX_SISTERS)
        else:
            number = number.partition("|")[2] if kind == "invoice" else number.rpartition("|")[0]
            sisters = state.find(f"order|invoice|chargebee|{number}", MAX_SISTERS + 1)
            names = sorted(sisters, key=lambda name: (len(name[1]), name[1]))[:2]
        for name in names:
            if (link := state.get(*name)) is not None and weigh(work, link):
                state.put(link)


def money_apart(state: State, link: Link) -> Finding | None:
    """What a person would be told of the link's money as it stands."""
    found = findings_of(state.policy, link, _around(state, link))
    return next((each for each in found if each.kind == "money_differs"), None)


def doubts(link: Link) -> set[FindingKind]:
    """The kinds of findings about the link's amounts that nobody has settled."""
    return {each.kind for each in unsettled(link)} & MONEY


def settle(
    work: Session, link: Link, kind: str, remark: str, by: str, said: tuple[str | None, str | None]
) -> None:
    """End a finding with a remark; `said` are its text and amount when the person decided. Raises
    Refused where there is none, where it says something else by now, or without a remark."""
    found = next((each for each in link.findings if each.kind == kind), None)
    if found is None:
        kinds = ", ".join(each.kind for each in link.findings) or "none"
        raise Refused(say("refused_no_finding", key=link.key, kind=kind, fields=kinds))
    if said[0] is not None and said != (found.text, found.amount):
        told = [*found.said, *found.todo_said]
        why = told or f"{found.text}; {found.todo}"
        raise Refused(say("refused_other_finding", kind=kind, key=link.key, why=why))
    if not remark.strip() or len(remark) > REMARK_MAX:
        raise Refused(say("refused_remark", most=REMARK_MAX))
    link.settled = {
        **link.settled,
        found.kind: Settled(
            text=found.text, amount=found.amount, remark=remark.strip(), by=by, at=work.now
        ),
    }
    words = f"{by or 'an operator'} settled {kind}: {remark.strip()}"
    work.journal(link, "settled_finding", words, None, kind, _facts_of(found))


def notice_wanted(state: State, link: Link) -> str | None:
    """The first line that the draft in Go is to have, "" for none; None where it is as it was
    written, or not ours. One that a person has taken away or written over is put back: others read
    it before they send."""
    ours, theirs = link.chargebee, link.poweroffice
    if link.entity != "order" or born_in_go(link) or ours is None or theirs is None:
        return None
    if ours.seen is None or theirs.deleted or (theirs.seen or {}).get("status") != "draft":
        return None
    wanted = notice(ours.seen, state.policy.invoicing_by) or ""
    if wanted != (link.notice or ""):
        return wanted
    stands = link.notice_as is None or (theirs.seen or {}).get("notice") == link.notice_as
    return None if stands else wanted


def is_paid_already(state: State, link: Link) -> bool:
    """Whether Go would ask for money that Chargebee has received: a person decides."""
    seen = (link.chargebee and link.chargebee.seen) or {}
    asked = state.policy.invoicing_by == "poweroffice" and state.policy.order_paid == "hold"
    is_paid = bool((seen.get("invoice") or {}).get("paid")) and Decimal(seen.get("total") or 0) > 0
    return asked and is_paid and not link.paid_released


def holder_of_sale(state: State, link: Link) -> Link | None:
    """The link of the Go order whose sale another Chargebee order carries already: Chargebee
    generates orders for imported invoices, some of them late."""
    ours = link.chargebee
    if link.entity != "order" or ours is None:
        return None
    sale = reference_of("chargebee", ours.stamp)
    if sale is None or sale.id is None:
        return None
    holder = by_id(state, "order", "poweroffice", sale.id)
    taken = holder is not None and holder.chargebee is not None and holder.chargebee.id != ours.id
    return holder if taken else None

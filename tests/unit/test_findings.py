"""What a person with the books in hand is told of an order, whatever became of it."""

import dataclasses
from typing import Any

import msgspec
import pytest

from contracts import signals
from contracts.findings import unsettled
from contracts.messages import Finding, Link, Side, Signal
from services.linker.decide import decide
from services.linker.findings import Around, findings_of, is_rounding
from services.linker.operators import held
from services.linker.operators.runs import _keep
from services.linker.state import Policy, by_id
from services.linker.store import Overlay
from tests.unit.bench import KARI, NOW, Bench, order

INVOICE = {
    "number": "2044",
    "paid": True,
    "void": False,
    "total": "125",
    "credited": "0",
    "credit_notes": [],
}
GO_INVOICE = {
    "number": "30011",
    "paid": False,
    "balance": "125",
    "void": False,
    "credited": "0",
    "credit_notes": [],
}
MONEY: dict[str, Any] = {"net": "100", "tax": "25", "total": "125"}


def ours(**more: Any) -> dict[str, Any]:
    """The order in Chargebee: 100 and VAT, invoiced and paid."""
    line = {
        "id": "1",
        "product_id": "hjul",
        "description": "Hjul",
        "net": "100",
        "tax": "25",
        "quantity": "1",
    }
    return order(
        "kari", "hjul", **{**MONEY, "number": "1042", "lines": [line], "invoice": INVOICE, **more}
    )


def theirs(**more: Any) -> dict[str, Any]:
    """The same in Go."""
    return {
        **ours(),
        "customer_id": "5",
        "lines": [{**ours()["lines"][0], "product_id": "7"}],
        "number": "10021",
        "invoice": None,
        **more,
    }


SENT: dict[str, Any] = {"status": "sent", "invoice": GO_INVOICE}


def linked(by: str = "chargebee", **policy: Any) -> Bench:
    """Order 900 in Chargebee and its draft u-1 in Go."""
    bench = Bench(invoicing_by=by, order_paid="carry", **policy)
    bench.linked_pair()
    bench.linked_product()
    (create,) = bench.see("chargebee", "900", 1, ours(), "order")
    assert bench.answer(create, "u-1", 1, theirs(notice=create.fields["notice"])) == []
    return bench


def kinds(bench: Bench, key: str = "900") -> list[str]:
    return [each.kind for each in bench.link(key, "order").findings]


def only(bench: Bench, key: str = "900") -> Finding:
    (finding,) = bench.link(key, "order").findings
    return finding


def credit_note(
    bench: Bench, amount: str, id: str = "u-9", number: str = "30012", of: str | None = "30011"
) -> None:
    """A person credits in Go."""
    data = theirs(
        status="sent",
        credit_of=of,
        net=f"-{amount}",
        tax="0",
        total=f"-{amount}",
        lines=[],
        invoice={**GO_INVOICE, "number": number},
    )
    assert bench.see("poweroffice", id, 1, data, "order") == []


# -- who has been asked to pay


def test_a_draft_that_was_not_to_be_sent_is_sent() -> None:
    """And the finding ends when Go's invoice has been credited in full, without a new one."""
    bench = linked()
    assert kinds(bench) == []
    bench.see("poweroffice", "u-1", 2, theirs(**SENT), "order")
    found = only(bench)
    assert (found.kind, found.amount, found.currency, found.since) == (
        "invoiced_twice",
        "125.00",
        "NOK",
        bench.now,
    )
    assert ("2044" in found.text, "30011" in found.text) == (True, True)
    assert bench.link("900", "order").state == "sent"
    credit_note(bench, "100")
    assert only(bench).amount == "25.00"
    credit_note(bench, "25", "u-10", "30013")
    assert kinds(bench) == []
    assert bench.rules().count("finding_ended") == 1
    credit = bench.link("go-u-9", "order")
    assert (credit.state, credit.reason) == (
        "ignored",
        "a credit note, which is never carried; it names invoice 30011, against which it counts",
    )


def test_where_go_invoices_a_sent_order_is_as_it_should_be() -> None:
    """Its Chargebee invoice is unpaid."""
    bench = linked("poweroffice")
    bench.see("chargebee", "900", 2, ours(invoice={**INVOICE, "paid": False}), "order")
    bench.see("poweroffice", "u-1", 2, theirs(**SENT), "order")
    assert kinds(bench) == []


def test_paid_in_chargebee_and_still_open_in_go() -> None:
    """Until the payment is registered in Go."""
    bench = linked("poweroffice")
    bench.see("poweroffice", "u-1", 2, theirs(**SENT), "order")
    assert (only(bench).kind, only(bench).amount) == ("paid_but_open", "125.00")
    paid = {**GO_INVOICE, "paid": True, "balance": "0"}
    bench.see("poweroffice", "u-1", 3, theirs(status="sent", invoice=paid), "order")
    assert kinds(bench) == []


@pytest.mark.parametrize(
    ("change", "amount"),
    [
        ({"status": "cancelled"}, "125.00"),
        ({"invoice": {**INVOICE, "void": True}}, "125.00"),
        ({"invoice": {**INVOICE, "credited": "50", "credit_notes": ["CN-1"]}}, "50.00"),
    ],
)
@pytest.mark.parametrize("status", ["confirmed", "sent"])
def test_credited_in_chargebee_after_go_invoiced(
    change: dict[str, Any], amount: str, status: str
) -> None:
    """Cancelled, void or credited; a confirmed order in Go counts too."""
    bench = linked("poweroffice", imports_as_paid=True)
    bench.see(
        "poweroffice",
        "u-1",
        2,
        theirs(status=status, invoice=GO_INVOICE if status == "sent" else None),
        "order",
    )
    bench.see("chargebee", "900", 2, ours(**change), "order")
    found = {each.kind: each for each in bench.link("900", "order").findings}
    assert found["credited_after_invoice"].amount == amount
    if status == "sent":
        credit_note(bench, amount)
        assert "credited_after_invoice" not in kinds(bench)


def test_credited_in_go_only() -> None:
    """The number to credit stands in the words; it ends when Chargebee has credited as much."""
    bench = linked("poweroffice")
    bench.see(
        "poweroffice",
        "u-1",
        2,
        theirs(**{**SENT, "invoice": {**GO_INVOICE, "paid": True}}),
        "order",
    )
    credit_note(bench, "50")
    found = only(bench)
    assert (found.kind, found.amount, "credit note 30012" in found.text) == (
        "credited_in_go",
        "50.00",
        True,
    )
    credited = {**INVOICE, "credited": "50", "credit_notes": ["CN-1"]}
    bench.see("chargebee", "900", 2, ours(invoice=credited), "order")
    assert kinds(bench) == []


def test_a_reversed_invoice_counts_as_credited() -> None:
    """Go nullifies the voucher; there is no credit note."""
    bench = linked("poweroffice")
    reversed_ = {**GO_INVOICE, "void": True, "paid": True, "balance": "0"}
    bench.see("poweroffice", "u-1", 2, theirs(status="sent", invoice=reversed_), "order")
    assert (only(bench).kind, only(bench).amount) == ("credited_in_go", "125.00")


def test_a_credit_note_met_before_its_invoice_counts_all_the_same() -> None:
    """The order of arrival does not matter; one that names nothing counts for nothing."""
    bench = linked("poweroffice")
    credit_note(bench, "125")
    credit_note(bench, "10", "u-11", "30014", of=None)
    bench.see("poweroffice", "u-1", 2, theirs(**SENT), "order")
    assert (only(bench).kind, only(bench).amount) == ("credited_in_go", "125.00")


# -- amounts


def test_a_draft_edited_and_sent_between_two_polls() -> None:
    """Only the sent invoice is ever seen."""
    bench = linked("poweroffice")
    bench.see("chargebee", "900", 2, ours(invoice={**INVOICE, "paid": False}), "order")
    line = {**theirs()["lines"][0], "net": "80", "tax": "20"}
    bench.see(
        "poweroffice",
        "u-1",
        2,
        theirs(**SENT, net="80", tax="20", total="100", lines=[line]),
        "order",
    )
    found = only(bench)
    assert (found.kind, found.amount, len(found.lines)) == ("money_differs", "25.00", 1)
    assert (found.lines[0].chargebee_net, found.lines[0].poweroffice_net) == ("100.00", "80.00")


def test_an_order_adopted_after_a_lost_reply_is_compared_and_not_confirmed() -> None:
    """Its totals are those of somebody else's draft."""
    bench = Bench(invoicing_by="poweroffice", order_paid="carry", confirm_on_delivered=True)
    bench.linked_pair()
    bench.linked_product()
    (create,) = bench.see("chargebee", "900", 1, ours(status="confirmed"), "order")
    told = create.fields["notice"]
    (line,) = bench.answer(create, "u-1", 1, theirs(notice=told, total="126"), "adopted")
    assert line.fields == {"notice": told}
    assert bench.answer(line, "u-1", 2, theirs(notice=told, total="126"), wrote=False) == []
    assert kinds(bench) == ["money_differs"]
    (confirm,) = bench.tell(
        "settle", entity="order", key="900", finding="money_differs", remark="as agreed"
    )
    assert confirm.fields == {"status": "confirmed"}


@pytest.mark.parametrize(
    ("tax", "is_listed"), [("25.01", False), ("25.02", True), ("24.99", False)]
)
def test_rounding_is_no_finding(tax: str, is_listed: bool) -> None:
    """One hundredth of VAT; it is journalled once and never listed."""
    bench = linked("poweroffice")
    line = {**theirs()["lines"][0], "tax": tax}
    total = str(float(tax) + 100)
    data = theirs(tax=tax, total=total, lines=[line], notice=bench.link("900", "order").notice)
    bench.see("poweroffice", "u-1", 2, data, "order")
    bench.see("poweroffice", "u-1", 3, {**data, "purchase_order": "PO"}, "order")
    assert kinds(bench) == (["money_differs"] if is_listed else [])
    assert bench.rules().count("rounding") == (0 if is_listed else 1)
    assert bench.link("900", "order").rounding is not is_listed


def test_a_line_under_another_rate_with_equal_totals() -> None:
    """25 % and 0 % the other way round."""
    link = Link(tenant="t", entity="order", key="900")
    lines = [
        {"net": "100", "tax": "25", "description": "A"},
        {"net": "100", "tax": "0", "description": "B"},
    ]
    swapped = [{**lines[0], "tax": "0"}, {**lines[1], "tax": "25"}]
    seen = {**MONEY, "net": "200", "total": "225", "currency": "NOK", "lines": lines}
    link.chargebee = Side(id="900", version="1", seen=seen)
    link.poweroffice = Side(id="u-1", version="1", seen={**seen, "lines": swapped})
    (found,) = findings_of(Policy(), link, Around())
    assert (found.kind, len(found.lines)) == ("vat_differs", 2)
    assert not is_rounding(link)


def test_a_part_of_an_invoice_and_its_sister() -> None:
    """The orders of one invoice are added up, in whatever order they are met."""
    bench = linked("poweroffice")
    half = {
        "net": "60",
        "tax": "15",
        "total": "75",
        "invoice": {**INVOICE, "number": "7", "total": "125"},
    }
    bench.see("chargebee", "901", 1, ours(**half), "order")
    assert (only(bench, "901").kind, only(bench, "901").amount) == ("not_whole", "50.00")
    rest = {**half, "net": "40", "tax": "10", "total": "50"}
    bench.see("chargebee", "902", 1, ours(**rest), "order")
    assert (kinds(bench, "901"), kinds(bench, "902")) == ([], [])
    bench.see(
        "chargebee", "902", 2, ours(**{**rest, "total": "10", "net": "8", "tax": "2"}), "order"
    )
    assert (kinds(bench, "901"), kinds(bench, "902")) == (
        ["not_whole"],
        [],
    )  # one of them speaks for all
    bench.see("chargebee", "902", 3, ours(**rest), "order")
    assert kinds(bench, "901") == []
    bench.see("chargebee", "902", 4, ours(**rest), "order", deleted=True)
    assert kinds(bench, "901") == ["not_whole"]


def test_what_is_not_carried_and_changes_law_is_told_of_a_customer_too() -> None:
    bench = linked()
    bench.see("chargebee", "kari", 2, bench.link("kari").chargebee.seen, incomplete=("vat_number",))  # type: ignore[union-attr]
    (found,) = bench.link("kari").findings
    assert found.kind == "dropped"
    bench.see("chargebee", "kari", 3, bench.link("kari").chargebee.seen)  # type: ignore[union-attr]
    assert bench.link("kari").findings == []


# -- settled by a person


def test_a_settled_finding_stays_settled_until_it_says_something_else() -> None:
    bench = linked()
    bench.see("poweroffice", "u-1", 2, theirs(**SENT), "order")
    bench.tell("settle", entity="order", key="900", finding="money_differs", remark="x")
    assert bench.told["reason"] == "900 has no finding money_differs; there are: invoiced_twice"
    bench.tell("settle", entity="order", key="900", finding="invoiced_twice", remark=" ")
    assert "remark says" in bench.told["reason"]
    bench.tell(
        "settle",
        entity="order",
        key="900",
        finding="invoiced_twice",
        remark="x",
        text="what was read before",
    )
    assert "says something else by now" in bench.told["reason"]
    bench.tell("settle", entity="order", key="900", finding="invoiced_twice", remark="written off")
    link = bench.link("900", "order")
    assert (len(link.findings), unsettled(link), link.settled["invoiced_twice"].remark) == (
        1,
        [],
        "written off",
    )
    bench.see("poweroffice", "u-1", 3, theirs(**SENT), "order")
    assert unsettled(bench.link("900", "order")) == []
    credit_note(bench, "25")
    assert [each.amount for each in unsettled(bench.link("900", "order"))] == ["100.00"]


def test_findings_come_again_after_a_rebuild() -> None:
    """The links are forgotten; the facts are not."""
    bench = linked()
    bench.see("poweroffice", "u-1", 2, theirs(**SENT), "order")
    held = bench.link("900", "order")
    fresh = Bench(invoicing_by="chargebee")
    fresh.linked_pair()
    fresh.linked_product()
    assert held.chargebee is not None and held.poweroffice is not None
    fresh.see("poweroffice", "u-1", 2, held.poweroffice.seen, "order", stamp="cb-900")
    fresh.see("chargebee", "900", 2, held.chargebee.seen, "order")
    assert [
        msgspec.structs.replace(each, since="") for each in fresh.link("900", "order").findings
    ] == [msgspec.structs.replace(each, since="") for each in held.findings]


# -- the draft's first line


def test_the_first_line_follows_the_invoice() -> None:
    """As long as it is a draft, and only when there is something else to say."""
    bench = Bench(invoicing_by="chargebee")
    bench.linked_pair()
    bench.linked_product()
    unpaid = {**INVOICE, "paid": False}
    (create,) = bench.see("chargebee", "900", 1, ours(invoice=unpaid), "order")
    assert create.fields["notice"] == "Invoiced in Chargebee, no. 2044, unpaid. Do not send."
    bench.answer(create, "u-1", 1, theirs(notice=create.fields["notice"]))
    (update,) = bench.see("chargebee", "900", 2, ours(), "order")
    assert update.fields == {"notice": "Invoiced in Chargebee, no. 2044, paid. Do not send."}
    assert update.expected == {"notice": "Invoiced in Chargebee, no. 2044, unpaid. Do not send."}
    assert bench.answer(update, "u-1", 2, theirs(**update.fields)) == []
    assert bench.see("chargebee", "900", 3, ours(), "order") == []
    (again,) = bench.see("poweroffice", "u-1", 3, theirs(notice="OK to send"), "order")
    assert (again.fields, again.expected) == (update.fields, {"notice": "OK to send"})
    assert bench.answer(again, "u-1", 4, theirs(**update.fields)) == []
    (gone,) = bench.see("poweroffice", "u-1", 5, theirs(notice=None), "order")
    assert (
        bench.answer(gone, "u-1", 6, theirs(notice="as Go spells it")) == []
    )  # whatever Go makes of it stands
    assert bench.see("poweroffice", "u-1", 7, theirs(notice="as Go spells it"), "order") == []
    (void,) = bench.see("chargebee", "900", 4, ours(invoice={**INVOICE, "void": True}), "order")
    assert void.fields == {"notice": "Invoiced in Chargebee, no. 2044, void. Do not send."}
    bench.answer(void, "u-1", 8, theirs(**void.fields))
    bench.see("poweroffice", "u-1", 9, theirs(**SENT), "order")
    assert bench.see("chargebee", "900", 5, ours(), "order") == []


# -- orders that wait, or are made again


def test_a_paid_order_waits_where_go_would_ask_for_the_money_again() -> None:
    """A person lets it go; whoever comes later waits again."""
    bench = Bench(invoicing_by="poweroffice")
    bench.linked_pair()
    bench.linked_product()
    assert bench.see("chargebee", "900", 1, ours(), "order") == []
    link = bench.link("900", "order")
    assert (link.state, link.batch) == ("held", "paid")
    assert "paid in Chargebee already" in (link.reason or "")
    assert bench.tell("release", entity="order") == []  # not with the rest
    (create,) = bench.tell("release", entity="order", batch="paid")
    assert create.fields["notice"] == "Already paid in Chargebee, invoice no. 2044."
    assert bench.see("chargebee", "901", 1, ours(), "order") == []
    assert bench.link("901", "order").batch == "paid"
    free = Bench(invoicing_by="poweroffice")
    free.linked_pair()
    free.linked_product()
    (create,) = free.see("chargebee", "900", 1, ours(invoice={**INVOICE, "paid": False}), "order")
    assert create.fields["notice"] is None


@pytest.mark.parametrize("kind", ["release", "discard"])
def test_of_many_held_orders_those_go_that_waited_when_a_person_said_so(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too much for one transaction follows in others. An order that comes in between was
    shown to nobody, and waits; nor does a batch of another name go."""
    monkeypatch.setattr(held, "MAX_AT_ONCE", 2)
    bench = Bench(invoicing_by="poweroffice")
    bench.linked_pair()
    bench.linked_product()
    tight = {"creates": (0.0, 0.0)}
    bench.store.policy = dataclasses.replace(bench.store.policy, breakers=tight)
    unpaid = ours(invoice={**INVOICE, "paid": False})
    assert bench.see("chargebee", "900", 1, unpaid, "order") == []
    assert bench.link("900", "order").batch == "creates-1"
    shown = ("901", "902", "903")
    for key in shown:
        bench.see("chargebee", key, 1, ours(), "order")
    said = signals.made(signals.KINDS[kind], {"entity": "order", "batch": "paid"})
    state, outputs = decide(bench.store.child(), signals.to("t", said, id="s", at=NOW), NOW)
    assert isinstance(state, Overlay)
    bench.store.absorb(state)
    bench.see("chargebee", "904", 1, ours(), "order")
    left = [each for each in outputs if isinstance(each, Signal)]
    assert len(left) == 1
    for each in left:
        bench.say(each)
    # The breaker is open: what was released waits for it now, as every other order does.
    batches = {key: bench.link(key, "order").batch for key in ("900", *shown, "904")}
    after = "creates-1" if kind == "release" else ""
    assert batches == {"900": "creates-1", **dict.fromkeys(shown, after), "904": "paid"}


def test_an_order_of_a_customer_archived_in_go_waits() -> None:
    """Until the customer is taken out of the archive."""
    bench = linked()
    customer = bench.link("kari").poweroffice
    assert customer is not None and customer.seen is not None
    kept = dict(customer.seen)
    bench.see("poweroffice", "5", 2, {**kept, "archived": True}, stamp="cb-kari")
    assert bench.see("chargebee", "901", 1, ours(), "order") == []
    link = bench.link("901", "order")
    assert (link.state, "archived in Go" in (link.reason or "")) == ("waiting", True)
    (create,) = bench.see("poweroffice", "5", 3, kept, stamp="cb-kari")
    assert (create.op, create.link) == ("create", "901")


def test_a_removed_draft_is_made_again_when_its_order_is_reopened() -> None:
    bench = linked(removal={("order", "poweroffice"): "remove_draft"})
    (delete,) = bench.see("chargebee", "900", 2, ours(status="cancelled"), "order")
    assert delete.op == "delete"
    bench.answer(delete, "u-1", 2, None, deleted=True)
    assert bench.link("900", "order").state == "ignored"
    (again,) = bench.see("chargebee", "900", 3, ours(), "order")
    assert (again.op, again.link, again.stamp) == ("create", "900", "cb-900")
    assert bench.answer(again, "u-2", 3, theirs(notice=again.fields["notice"])) == []
    link = bench.link("900", "order")
    assert (link.state, link.poweroffice and link.poweroffice.id) == ("linked", "u-2")


def test_a_draft_that_a_person_deleted_is_not_made_again() -> None:
    bench = linked()
    bench.see("poweroffice", "u-1", 2, None, "order", deleted=True)
    assert bench.see("chargebee", "900", 2, ours(purchase_order="PO"), "order") == []
    assert bench.link("900", "order").state in ("ignored", "conflict")


# -- orders that Chargebee generates for what Go has sold


def test_a_generated_order_met_late_is_put_on_hold() -> None:
    """Our own import stands for the sale; a warehouse must not ship what Go has sold."""
    bench = Bench(invoicing_by="poweroffice")
    bench.linked_pair()
    bench.linked_product()
    (create,) = bench.see("poweroffice", "u-1", 1, theirs(**SENT), "order")
    held = ours(invoice={**INVOICE, "number": "go-u-1"}, fulfilment="on_hold")
    assert bench.answer(create, "go-u-1", 1, held) == []
    late = {**held, "fulfilment": "queued"}
    (hold,) = bench.see("chargebee", "77", 2, late, "order", stamp="go-u-1")
    assert (hold.target, hold.op, hold.target_id, hold.fields) == (
        "chargebee",
        "update",
        "77",
        {"fulfilment": "on_hold"},
    )
    assert bench.answer(hold, "77", 3, held) == []
    link = bench.link("77", "order")
    assert (link.state, link.reason) == (
        "ignored",
        "another order of the invoice that order go-u-1 stands for",
    )
    assert bench.link("go-u-1", "order").state == "sent"


@pytest.mark.parametrize("shown", [False, True])
def test_a_generated_order_met_while_ours_is_made_gives_way(shown: bool) -> None:
    """Also where the event of ours comes before the reply."""
    bench = Bench(invoicing_by="poweroffice")
    bench.linked_pair()
    bench.linked_product()
    (create,) = bench.see("poweroffice", "u-1", 1, theirs(**SENT), "order")
    late = ours(invoice={**INVOICE, "number": "go-u-1"}, fulfilment="queued")
    assert bench.see("chargebee", "77", 2, late, "order", stamp="go-u-1") == []
    held = {**late, "fulfilment": "on_hold"}
    if shown:
        bench.see(
            "chargebee", "go-u-1", 4, {**held, "purchase_order": "PO"}, "order", stamp="go-u-1"
        )
    (hold,) = bench.answer(create, "go-u-1", 3, held)
    assert [name for name in bench.store.names() if name.startswith("order/go-u-1")] == [
        "order/go-u-1"
    ]
    assert (hold.target_id, hold.fields) == ("77", {"fulfilment": "on_hold"})
    assert bench.link("go-u-1", "order").state == "sent"


# -- the money breaker


def test_one_order_in_euro_never_holds_those_in_kroner() -> None:
    bench = Bench(breakers={"money": (1, 0.1)}, invoicing_by="chargebee")
    bench.linked_pair()
    bench.linked_product()
    (euro,) = bench.see("chargebee", "900", 1, ours(currency="EUR"), "order")
    bench.answer(euro, "u-1", 1, theirs(currency="EUR", total="150", notice=euro.fields["notice"]))
    assert bench.see("chargebee", "901", 1, ours(currency="EUR"), "order") == []
    assert bench.link("901", "order").batch == "money-poweroffice-EUR-1"
    (krone,) = bench.see("chargebee", "902", 1, ours(), "order")
    assert krone.op == "create"
    (released,) = bench.tell("release", entity="order", batch="money-poweroffice-EUR-1")
    assert released.link == "901"


# -- what an attack on the above has found


def test_a_reversed_credit_note_of_go_counts_no_longer() -> None:
    bench = linked()
    bench.see("poweroffice", "u-1", 2, theirs(**SENT), "order")
    credit_note(bench, "125")
    assert kinds(bench) == []
    void = {**GO_INVOICE, "number": "30012", "void": True}
    data = theirs(
        status="sent", credit_of="30011", net="-125", tax="0", total="-125", lines=[], invoice=void
    )
    bench.see("poweroffice", "u-9", 2, data, "order")
    assert kinds(bench) == ["invoiced_twice"]


def test_a_sale_of_go_is_judged_by_its_whole_invoice() -> None:
    """Chargebee has put only the goods of it into an order."""
    bench = Bench(invoicing_by="poweroffice", breakers={"money": (1, 0.1)})
    bench.linked_pair()
    bench.linked_product()
    (create,) = bench.see("poweroffice", "u-1", 1, theirs(**SENT), "order")
    part = {
        "net": "60",
        "tax": "15",
        "total": "75",
        "invoice": {**INVOICE, "number": "go-u-1", "total": "125"},
    }
    assert bench.answer(create, "go-u-1", 1, ours(**part)) == []
    assert (
        kinds(bench, "go-u-1"),
        bench.store.controls.get("breaker/order/money-chargebee-NOK"),
    ) == ([], None)
    credit_note(bench, "125")
    credited = {**part["invoice"], "credited": "125", "credit_notes": ["CN-1"]}  # type: ignore[dict-item]
    bench.see(
        "chargebee", "go-u-1", 2, ours(**{**part, "invoice": credited}), "order", stamp="go-u-1"
    )
    assert kinds(bench, "go-u-1") == []


def test_another_currency_is_other_money() -> None:
    bench = linked("poweroffice")
    bench.see(
        "poweroffice",
        "u-1",
        2,
        theirs(currency="EUR", notice=bench.link("900", "order").notice),
        "order",
    )
    assert (
        only(bench).kind,
        "125.00 NOK in Chargebee and 125.00 EUR in Go" in only(bench).text,
    ) == (
        "money_differs",
        True,
    )


def test_a_copy_stays_one_whatever_the_settings_say_later() -> None:
    bench = linked()
    later = Bench(invoicing_by="poweroffice", order_paid="carry")
    later.store.links, later.store.controls = bench.store.links, bench.store.controls
    later.store.build_index()
    later.see("poweroffice", "u-1", 2, theirs(**SENT), "order")
    assert kinds(later) == ["invoiced_twice"]
    sale = linked("poweroffice")
    sale.see(
        "poweroffice",
        "u-1",
        2,
        theirs(**{**SENT, "invoice": {**GO_INVOICE, "paid": True}}),
        "order",
    )
    now = Bench(invoicing_by="chargebee")
    now.store.links, now.store.controls = sale.store.links, sale.store.controls
    now.store.build_index()
    now.see(
        "poweroffice",
        "u-1",
        3,
        theirs(**{**SENT, "invoice": {**GO_INVOICE, "paid": True}}),
        "order",
    )
    assert kinds(now) == []


def test_an_order_met_under_the_key_of_go_is_born_where_its_stamp_says() -> None:
    """A reading kept its link from being renamed when the order of Chargebee came."""
    bench = Bench(invoicing_by="chargebee")
    bench.linked_pair()
    bench.linked_product()
    bench.see(
        "poweroffice",
        "u-1",
        1,
        theirs(notice="Invoiced in Chargebee, no. 2044, paid. Do not send."),
        "order",
        stamp="cb-900",
    )
    bench.tell("replay", ranges={"orders": [0, 1]})
    bench.say(
        Signal(
            tenant="t",
            id="p",
            kind="replay_part",
            at=bench.now,
            args={
                "run": bench.run_id,
                "records": [["poweroffice", "order", "u-1"]],
                "last": True,
            },
        )
    )
    bench.see("chargebee", "900", 1, ours(), "order")
    bench.see("poweroffice", "u-1", 2, theirs(**SENT), "order", stamp="cb-900")
    held = by_id(bench.store.child(), "order", "chargebee", "900")
    assert held is not None
    assert "invoiced_twice" in [each.kind for each in held.findings]


def test_lines_in_another_order_are_the_same_lines() -> None:
    """And a swap of VAT is found behind it, and behind twenty lines of rounding."""
    few = [
        {"net": "100", "tax": "25", "description": "A"},
        {"net": "100", "tax": "0", "description": "B"},
    ]
    swapped = [{**few[1], "tax": "25"}, {**few[0], "tax": "0"}]
    rounding = [{"net": f"{n}", "tax": f"{n}", "description": f"{n}"} for n in range(20, 40)]
    off = [
        {**line, "tax": f"{int(line['tax']) + (0.01 if n % 2 else -0.01)}"}
        for n, line in enumerate(rounding)
    ]

    def found(theirs_: list[dict[str, str]], ours_: list[dict[str, str]]) -> list[str]:
        seen = {"net": "200", "tax": "25", "total": "225", "currency": "NOK"}
        link = Link(tenant="t", entity="order", key="900")
        link.chargebee = Side(id="900", version="1", seen={**seen, "lines": ours_})
        link.poweroffice = Side(id="u-1", version="1", seen={**seen, "lines": theirs_})
        return [each.kind for each in findings_of(Policy(), link, Around())]

    assert found(few[::-1], few) == []
    assert found(swapped, few) == ["vat_differs"]
    assert found([*off, *swapped[::-1]], [*rounding, *few]) == ["vat_differs"]


def test_a_round_off_leaves_nothing_to_be_credited() -> None:
    """The credit notes of Chargebee take it with them."""
    bench = linked("poweroffice")
    gone = {**INVOICE, "total": "124.6", "credited": "124.6", "credit_notes": ["CN-1"]}
    bench.see("poweroffice", "u-1", 2, theirs(**SENT), "order")
    bench.see("chargebee", "900", 2, ours(invoice=gone), "order", incomplete=("round_off",))
    credit_note(bench, "125")
    assert [(each.kind, each.amount) for each in bench.link("900", "order").findings] == [
        ("dropped", "0.40")
    ]


def test_a_settled_finding_stays_so_after_a_restart_and_a_rebuild() -> None:
    bench = linked("poweroffice")
    bench.see(
        "poweroffice",
        "u-1",
        2,
        theirs(**{**SENT, "invoice": {**GO_INVOICE, "paid": True}}),
        "order",
    )
    credit_note(bench, "50")
    credit_note(bench, "10", "u-10", "30013")
    bench.tell("settle", entity="order", key="900", finding="credited_in_go", remark="agreed")
    note = bench.link("go-u-9", "order").poweroffice
    assert note is not None
    bench.see(
        "poweroffice", "u-9", 2, note.seen, "order"
    )  # the order of the links is that of their last change
    bench.store.build_index()
    bench.see(
        "poweroffice",
        "u-1",
        3,
        theirs(**{**SENT, "invoice": {**GO_INVOICE, "paid": True}}),
        "order",
    )
    assert unsettled(bench.link("900", "order")) == []
    kept = bench.link("900", "order")
    _keep(child := bench.store.child(), kept)
    child.remove("order", "900")
    bench.store.absorb(child)
    assert kept.chargebee is not None
    assert kept.poweroffice is not None
    bench.see("poweroffice", "u-1", 9, kept.poweroffice.seen, "order", stamp="cb-900")
    bench.see("chargebee", "900", 9, kept.chargebee.seen, "order")
    again = bench.link("900", "order")
    assert ([each.kind for each in again.findings], unsettled(again)) == (["credited_in_go"], [])


def test_a_hold_that_does_not_hold_is_not_asked_for_again() -> None:
    bench = Bench(invoicing_by="poweroffice")
    bench.linked_pair()
    bench.linked_product()
    (create,) = bench.see("poweroffice", "u-1", 1, theirs(**SENT), "order")
    held = ours(invoice={**INVOICE, "number": "go-u-1"}, fulfilment="on_hold")
    bench.answer(create, "go-u-1", 1, held)
    (hold,) = bench.see(
        "chargebee", "77", 2, {**held, "fulfilment": "queued"}, "order", stamp="go-u-1"
    )
    assert bench.answer(hold, "77", 3, {**held, "fulfilment": "queued"}) == []
    assert bench.link("77", "order").state == "ignored"


def test_many_orders_of_one_invoice_are_no_more_work_each() -> None:
    """One of them speaks for all, and beyond some number nobody does."""
    bench = Bench(invoicing_by="chargebee")
    bench.open()
    share = {"net": "1", "tax": "0", "total": "1", "invoice": {**INVOICE, "total": "250"}}
    for number in range(230):
        bench.see("chargebee", f"{1000 + number}", 1, ours(**share), "order")
    told = [entry for entry in bench.journal if entry.rule == "finding"]
    assert {entry.link for entry in told} == {"1000"}
    assert bench.link("1000", "order").findings == []


@pytest.mark.parametrize("total", ["1E+26", "123456789012345678901234567890.12"])
def test_amounts_of_any_size_are_said(total: str) -> None:
    bench = linked("poweroffice")
    bench.see("poweroffice", "u-1", 2, theirs(**SENT, total=total), "order")
    assert "money_differs" in kinds(bench)
    bench.see("poweroffice", "u-1", 3, theirs(**SENT, total=total, currency="XBT"), "order")
    assert "money_differs" in kinds(bench)


def test_a_draft_with_other_lines_is_not_confirmed() -> None:
    """The money is equal; what a person wrote into the lines is not ours to confirm."""
    bench = linked("poweroffice", confirm_on_delivered=True)
    other_words = [{**theirs()["lines"][0], "quantity": "2", "description": "To hjul"}]
    told = bench.link("900", "order").notice
    bench.see("poweroffice", "u-1", 2, theirs(lines=other_words, notice=told), "order")
    assert bench.link("900", "order").differences == ["lines"]
    assert bench.see("chargebee", "900", 2, ours(status="confirmed"), "order") == []
    assert kinds(bench) == []


@pytest.mark.parametrize(
    ("first", "later"), [((), ("vat_number",)), (("vat_number",), ())], ids=["entered", "removed"]
)
def test_what_an_answer_shows_that_is_not_carried_is_a_finding_at_once(
    first: tuple[str, ...], later: tuple[str, ...]
) -> None:
    """A person entered a foreign VAT number, or removed it, just before our write; the events of
    both are no news by then."""
    company = {**KARI, "kind": "company", "company": "Acme", "first_name": None, "last_name": None}
    bench = Bench()
    bench.open()
    (create,) = bench.see("chargebee", "kari", 1, company, incomplete=first)
    bench.answer(create, "5", 1, company)
    edited = {**company, "phone": "+47 2"}
    (update,) = bench.see("poweroffice", "5", 2, edited)
    bench.answer(update, "kari", 3, edited, incomplete=later)
    bench.see("chargebee", "kari", 2, company, incomplete=later, made_by="others")
    bench.see("chargebee", "kari", 3, edited, incomplete=later, made_by="tandem")
    assert [each.kind for each in bench.link("kari").findings] == ["dropped"] * len(later)

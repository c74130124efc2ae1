"""Findings as a person meets them on the command line; the links are put on their topic as the
linker writes them."""

from pathlib import Path

import msgspec

from contracts.links import encode
from contracts.messages import Finding, LineAmounts, Link, Settled, Side
from tests.system.rig import Rig, tandem

SOON = {"TANDEM_CONSOLE__PATIENCE": "0.01"}  # no linker runs that could answer
TWICE = Finding(
    kind="invoiced_twice",
    text="invoice 7 in Chargebee and invoice 20007 in Go",
    todo="credit invoice 20007 in Go",
    amount="1250.00",
    currency="NOK",
    chargebee="INV-7",
    poweroffice="20007",
    since="2026-11-20T10:00:00.000000Z",
)
DIFFERS = Finding(
    kind="money_differs",
    text="total 100.00 in Chargebee, 90.00 in Go",
    todo="look at the lines",
    amount="10.00",
    currency="EUR",
    chargebee="INV-8",
    poweroffice="20008",
    since="2026-11-21T10:00:00.000000Z",
    lines=(LineAmounts(text="Kortleser", chargebee_net="80", poweroffice_net="72"),),
)
REMARK = Settled(
    text=TWICE.text,
    amount=TWICE.amount,
    remark="credited with 20009",
    by="ola@regnskap",
    at="2026-11-22T10:00:00.000000Z",
)


def world(rig: Rig) -> None:
    """An order that was sent, one that is ignored, and one whose finding is settled."""
    tandem(rig, "topics", "create")
    for key, state, finding, settled in (
        ("7", "sent", TWICE, {}),
        ("8", "ignored", DIFFERS, {}),
        ("9", "sent", TWICE, {"invoiced_twice": REMARK}),
    ):
        put(
            rig,
            Link(
                tenant="demo",
                entity="order",
                key=key,
                state=state,  # type: ignore[arg-type]
                findings=[finding],
                settled=settled,  # type: ignore[arg-type]
                chargebee=Side(id=key, version="1"),
                poweroffice=Side(id=f"u-{key}", version="1"),
            ),
        )


def put(rig: Rig, link: Link) -> None:
    rig.send("links", f"demo/order/{link.key}".encode(), encode(link))


def test_findings_are_listed_chosen_and_written(rig: Rig, tmp_path: Path) -> None:
    """Exit code 3 while one of those that are meant is not settled."""
    world(rig)
    assert tandem(rig, "findings", code=3).splitlines() == [
        "order 8: money_differs, EUR 10.00, Chargebee 8 (INV-8), Go u-8 (20008)",
        "    total 100.00 in Chargebee, 90.00 in Go",
        "    to do: look at the lines",
        "    line Kortleser: net 80 in Chargebee, 72 in Go",
        "    since 2026-11-21T10:00:00Z",
        "order 7: invoiced_twice, NOK 1250.00, Chargebee 7 (INV-7), Go u-7 (20007)",
        "    invoice 7 in Chargebee and invoice 20007 in Go",
        "    to do: credit invoice 20007 in Go",
        "    since 2026-11-20T10:00:00Z",
        "finding         currency  settled  findings  amount ",
        "invoiced_twice  NOK       no       1         1250.00",
        "money_differs   EUR       no       1         10.00  ",
        "2 findings; 1 settled and not listed: add --settled",
    ]
    table, page = tmp_path / "found.csv", tmp_path / "found.html"
    told = tandem(
        rig,
        "findings",
        "--settled",
        "--min-amount",
        "1000",
        "--json",
        "--csv",
        str(table),
        "--html",
        str(page),
        code=3,
    )
    found = msgspec.json.decode(told)
    assert [(each["key"], each.get("settled", {}).get("remark")) for each in found["findings"]] == [
        ("7", None),
        ("9", "credited with 20009"),
    ]
    assert [each["amount"] for each in found["sums"]] == ["1250.00", "1250.00"]
    assert len(table.read_text(encoding="utf-8").splitlines()) == 3
    assert "<td>credited with 20009</td>" in page.read_text(encoding="utf-8")
    for arguments in (
        ("--kind", "dropped"),
        ("--entity", "product"),
        ("--currency", "usd"),
        ("--since", "2030-01-01"),
    ):
        assert tandem(rig, "findings", *arguments) == "no findings\n"
    assert "--min-amount '1.000,50' is no amount" in tandem(
        rig, "findings", "--min-amount", "1.000,50", code=2
    )
    assert "--since 'yesterday' is no time" in tandem(
        rig, "findings", "--since", "yesterday", code=2
    )
    assert "the file cannot be written" in tandem(rig, "findings", "--csv", str(tmp_path), code=2)


def test_findings_are_told_by_the_commands_about_their_link(rig: Rig) -> None:
    """Whatever its state; and they end with the link."""
    world(rig)
    shown = [
        line for line in tandem(rig, "status", code=3).splitlines() if line[:2] != "! "
    ]  # no service runs
    assert " ".join(shown[:2]).startswith(
        "demo: 2 findings (invoiced_twice 1, money_differs 1); at stake EUR 10.00, NOK"
    )
    assert "Findings: a person acts (2)" in shown
    told = rig.status()["tenants"]["demo"]["findings"]
    assert [(each["key"], each["state"], each["finding"]["kind"]) for each in told] == [
        ("8", "ignored", "money_differs"),
        ("7", "sent", "invoiced_twice"),
    ]
    for arguments in (("explain", "poweroffice", "order", "u-9"), ("links", "show", "order", "9")):
        assert "      settled 2026-11-22T10:00:00Z by ola@regnskap: credited with 20009" in tandem(
            rig, *arguments
        )
    for key in ("7", "8"):
        put(rig, Link(tenant="demo", entity="order", key=key, state="sent"))
    assert tandem(rig, "findings") == "no findings; 1 settled and not listed: add --settled\n"


def test_a_finding_is_settled_with_a_remark(rig: Rig) -> None:
    """One that is not there is refused here already; the signal says which, and in what words."""
    world(rig)
    said = tandem(rig, "settle", "order", "8", "--finding", "dropped", "--remark", "x", code=2)
    assert said == "order 8 has no finding dropped; there are: money_differs\n"
    assert "no order 'x' is known" in tandem(
        rig, "settle", "order", "x", "--finding", "dropped", "--remark", "x", code=2
    )
    assert rig.records("signals") == []
    tandem(
        rig,
        "settle",
        "order",
        "u-8",
        "--finding",
        "money_differs",
        "--remark",
        "agreed with the customer",
        code=1,
        **SOON,
    )
    (signal,) = rig.records("signals")
    assert (signal["kind"], signal["args"]) == (
        "settle",
        {
            "entity": "order",
            "key": "8",
            "finding": "money_differs",
            "text": DIFFERS.text,
            "amount": DIFFERS.amount,
            "remark": "agreed with the customer",
        },
    )

"""The console's page in Norwegian: what the project says on it, as against what a vendor or a
person said, which stays as it came."""

from typing import Any

import msgspec
import pytest

from contracts.links import encode
from contracts.messages import Control, Finding, Side
from contracts.said import say
from services.console.model import ReadModel
from services.console.model_rows import Mirrored
from services.console.services import said_of
from services.console.web.words import Words
from tests.unit.test_web import (
    AT,
    KARI,
    Browser,
    link,
    model,
    number,
    plan,
    put,
    put_order,
    put_run,
    settings_of,
)

__all__ = ["model"]  # a fixture
SOURCE = {
    "source": "invoices",
    "count": 4,
    "before": "orders",
    "date": "2026-11-01",
    "key": "41",
}


@pytest.fixture
def norsk(model: ReadModel) -> Browser:
    """Logged in with the token, and reading Norwegian."""
    held = Browser(settings_of(), model)
    held.login()
    held.post("/language", data={"language": "nb", "back": "/"})
    return held


def control(kind: Any, id: str, value: dict[str, Any]) -> Control:
    return Control(tenant="acme", kind=kind, id=id, at=AT, value=value)


def put_link(model: ReadModel, key: str, **fields: Any) -> int:
    """A link, and the number of its page."""
    held = link(key, **fields)
    model.apply([Mirrored("links", f"acme/{held.entity}/{key}", encode(held))], {}, {})
    found = model.number_of(held)
    assert found is not None
    return found


def test_an_order_is_called_by_its_number_customer_and_total(
    norsk: Browser, model: ReadModel
) -> None:
    seen = {"number": "77", "currency": "NOK", "total": "1250.00", "customer_id": "kari"}
    side = Side(id="77", version="1", seen=seen)
    waits = {"state": "waiting", "chargebee": side, "poweroffice": None}
    own = put_link(model, "77", entity="order", **waits, waiting_on=["customer|chargebee|nei"])
    title = "ordre 77 til Kari Nordmann, NOK 1\u00a0250,00"
    assert f"<h1>{title}</h1>" in norsk.see(f"/acme/records/{own}")
    assert title in norsk.see("/acme/records?entity=order")
    behind = norsk.see(f"/acme/records/{number(model, 'nei')}")
    assert f"Venter bak den: {title} (77)" in behind
    assert "kunde Kari Nordmann (nei) er avvist" in norsk.see(f"/acme/records/{own}")


def test_switches_are_told_with_their_reasons(norsk: Browser, model: ReadModel) -> None:
    words = {"words": "x", "said": [say("source_changed", **SOURCE)]}
    for kind, id, value in (
        ("pause", "order/chargebee", {"at": AT}),
        ("breaker", "customer/creates", {"open": True, "batch": 3}),
        ("stopped", "poweroffice", {"found": "2", "pinned": "1", "at": AT}),
        ("stopped", "order_source", {**words, "found": "2", "pinned": "1", "at": AT}),
    ):
        put(model, "control", f"acme/{kind}/{id}", control(kind, id, value))
    put_run(model, "r7", kind="rebuild", state="reading", args={})
    text = norsk.see("/acme/")
    for said in (
        "ordre til Chargebee er satt på pause",
        "sikring for kunde: uvanlig mange opprettelser; holdt som creates-3",
        "stanset: en annen konto i Go, 2 i stedet for 1",
        "stanset: order.source er invoices, men 4 koblede ordrer er orders",
        "gjenoppbygging r7: leser",
    ):
        assert said in text


def test_the_figures_and_findings_of_runs(norsk: Browser, model: ReadModel) -> None:
    counts = {"records": 4, "asked": 3, "left_alone": 1}
    put_run(model, "p1", kind="replay", state="working", args={}, counts=counts)
    parts = {"chargebee/customer": 3, "poweroffice/customer": None}
    put_run(model, "c1", kind="reconcile", state="cancelled", args={}, parts=parts, counts={})
    text = norsk.see("/acme/runs")
    assert "poster: 4, spurt: 3, ikke rørt: 1" in text
    assert "0 poster lest, kunde i Go er ikke lest ferdig" in text
    assert "avspilling p1" in text and "<td>arbeider</td>" in text
    text = norsk.see("/acme/runs/c1")
    assert "ingenting er likt på begge sider; 0 ulike, " in text
    assert "avvist: «Go says " in text and "<td>ikke koblet</td><td>kunde</td>" in text


def test_the_notes_of_a_month(norsk: Browser, model: ReadModel) -> None:
    parts = {"chargebee/order": 2, "poweroffice/order": 2}
    put_run(model, "m1", kind="reconcile", state="done", args={}, parts=parts)
    put_order(model, "vat", ("125.00", "25.00"), ("125.00", "24.99"), currency="NOK")
    put_order(model, "alone", ("10.00", "2.00"), None, currency="NOK")
    kinds = say("line_vat", line="a", ours="1", theirs="2")
    found = Finding(kind="vat_differs", text="x", todo="y", since=AT, said=(kinds,), amount="5.00")
    found = msgspec.structs.replace(found, currency="NOK")
    changes: dict[str, dict[str, Any]] = {
        "vat": {"findings": [found]},
        "alone": {"state": "waiting", "said": [say("first_snapshots")]},
    }
    for key, more in changes.items():
        held = model.link("acme", "order", key)
        assert held is not None
        changed = msgspec.structs.replace(held, **more)
        model.apply([Mirrored("links", f"acme/order/{key}", encode(changed))], {}, {})
    text = norsk.see("/acme/month?month=2026-10")
    assert "mva er ulik, NOK 5,00: a: mva 1 i Chargebee og 2 i Go" in text
    assert "venter: venter på den første lesingen av begge systemene" in text


def test_planned_blanks_and_values_of_ours(norsk: Browser, model: ReadModel) -> None:
    command = msgspec.structs.replace(
        plan("ny"), op="update", fields={"phone": None}, expected={"phone": "+47 1"}
    )
    own = put_link(model, "ny", state="held", plan=command, batch="changes-1")
    for page in (f"/acme/records/{own}", "/acme/held"):
        assert "+47 1 -&gt; tom" in norsk.see(page)
    company = {**KARI, "kind": "company"}
    own = put_link(model, "begge", poweroffice=Side(id="9", version="1", seen=company))
    assert "<td>firma</td>" in norsk.see(f"/acme/records/{own}")


def test_a_refused_form_says_why(norsk: Browser, model: ReadModel) -> None:
    told = say("refused_second_run", kind="rebuild", id="r1", state="reading")
    norsk.answer = {"result": "refused", "reason": "x", "said": msgspec.to_builtins([told])}
    said = "gjenoppbygging r1: leser; vent på den eller avbryt den først"
    assert said in norsk.act("reconcile", 409)
    norsk.answer = {"result": "refused", "reason": "the words of an older release"}
    assert "the words of an older release" in norsk.act("reconcile", 409)
    assert "«i går» er ikke et tidspunkt" in norsk.act("replay", 400, **{"from": "i går"})
    assert "argumentet «key» mangler" in norsk.act("unlink", 400, entity="customer")
    assert "finnes ikke som type; det som finnes: customer" in norsk.act("pause", 400, entity="x")
    assert "kunde «borte» er ikke kjent" in norsk.act("forget", 404, entity="customer", key="borte")
    assert "den døde meldingen «borte» finnes ikke" in norsk.act("redrive", 404, letter="borte")
    assert "ingen prøvekjøring «borte»" in norsk.act("replay", 404, run="borte")
    assert "«oktober» er ikke en måned" in norsk.see("/acme/month?month=oktober", 400)
    form = {"csrf": norsk.csrf(), "mark": "x"}
    assert "avsluttet i mellomtiden" in norsk.post("/acme/take", data=form).text
    long = {**form, "name": "x" * 61, "state": "held"}
    assert "på høyst 60 tegn" in norsk.post("/acme/filters", data=long).text
    wrong = {**form, "name": "x", "state": "gone"}
    assert "en type og en tilstand" in norsk.post("/acme/filters", data=wrong).text


def test_what_a_service_says_in_words_of_its_own_is_quoted() -> None:
    words = Words("nb")
    known, other = said_of("reading the topics"), said_of("KafkaError: no leader")
    assert (
        words.said([say("service_problem", name="console", why=known)]) == "console: leser emnene"
    )
    told = words.said([say("service_problem", name="linker", why=other)])
    assert told == "linker: «KafkaError: no leader»"

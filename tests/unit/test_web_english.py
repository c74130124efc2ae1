"""No page that is read in Norwegian holds an English sentence of the project.

What the project says in English is found in the code and in the catalogues: every literal of
several words, and every sentence. Vendors' words and the journal stay as they are: those below are
in no code.
"""

import ast
import html
import json
import re
import string
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from contracts.links import encode
from contracts.messages import (
    Control,
    Cursor,
    DeadLetter,
    Finding,
    Heartbeat,
    JournalEntry,
    Link,
    LinkState,
    Problem,
    Side,
    Signal,
)
from contracts.said import SENTENCES, Said, say
from contracts.settings import KafkaSettings, Settings
from runtime.clock import iso
from services.console import doctor, doctor_services
from services.console.model import ReadModel
from services.console.model_rows import Mirrored
from services.console.services import Process
from services.console.web import health
from services.console.web.doctor_page import Diagnosis
from services.console.web.words import DIRECTORY
from tests.unit.test_web import (
    AT,
    KARI,
    PAGES,
    Browser,
    link,
    model,
    plan,
    put,
    put_order,
    put_run,
    settings_of,
)

__all__ = ["model"]  # a fixture
ROOT = Path(__file__).parents[2]
FOLDERS = ("contracts", "runtime", "services/console")
WORDS_MIN = 3
OURS = re.compile(r"[^\W\d_]{2,}")


def read(name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((DIRECTORY / name).read_bytes())
    return found


NORWEGIAN = "\n".join((*read("nb.json").values(), *read("sentences.nb.json").values()))


def literals() -> Iterator[str]:
    """The parts of every text in the code, docstrings left out."""
    for path in (each for folder in FOLDERS for each in (ROOT / folder).rglob("*.py")):
        tree = ast.parse(path.read_text())
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and id(node) not in docs:
                yield from (text for text, *_ in parsed(value))


def parsed(text: str) -> list[tuple[str, Any, Any, Any]]:
    try:
        return list(string.Formatter().parse(text))
    except ValueError:  # no template
        return [(text, None, None, None)]


def english() -> set[str]:
    """What no page may hold: of several words, and not a part of what is said in Norwegian."""
    templates = [text for each in SENTENCES.values() for text, *_ in parsed(each)]
    said = {" ".join(text.split()) for text in (*literals(), *templates)}
    many = {each for each in said if " " in each and len(OURS.findall(each)) >= WORDS_MIN}
    words = {each for each in read("nb.json") if " " in each}
    return {each for each in many | words if each not in NORWEGIAN}


def shown(page: str) -> str:
    """What a page says, its labels included, without what a form sends along."""
    page = re.sub(r'<input type="hidden"[^>]*>|<(code|pre|script)\b.*?</\1>', " ", page, flags=re.S)
    page = re.sub(r'<\w+\b[^>]*?(?:aria-label="([^"]*)")?[^>]*>|</\w+>', r" \1 ", page)
    return " ".join(html.unescape(page).split())


def alone(page: str) -> set[str]:
    """Everything that stands alone in an element."""
    return {html.unescape(each).strip() for each in re.findall(r">([^<>]+)<", page)}


def control(kind: Any, id: str, value: dict[str, Any]) -> Mirrored:
    held = Control(tenant="acme", kind=kind, id=id, at=AT, value=value)
    return Mirrored("control", f"acme/{kind}/{id}", msgspec.json.encode(held))


REASONS: dict[LinkState, list[Said]] = {
    "waiting": [],
    "ambiguous": [say("same_email")],
    "conflict": [say("kinds_differ")],
    "ignored": [say("reported")],
    "held": [say("breaker", batch="changes-2")],
    "parked": [say("parked", system="poweroffice", why=[say("unreachable")])],
    "rejected": [say("refused", system="poweroffice", why="E-mail is not valid, says the vendor")],
    "broken": [say("stale_thrice", system="chargebee")],
    "sent": [say("sent", number="7")],
}


def links() -> Iterator[Link]:
    """A customer and an order in every state, with whatever a page tells of one."""
    for state in get_args(LinkState):
        seen = {"number": f"1{state}", "currency": "NOK", "total": "10.00", "customer_id": "kari"}
        ours = {"chargebee": Side(id=f"c-{state}", version="1", seen=KARI), "poweroffice": None}
        order = {"chargebee": Side(id=f"o-{state}", version="1", seen=seen), "poweroffice": None}
        more: dict[str, Any] = {"state": state, "said": REASONS.get(state, [say("queued")])}
        if state == "waiting":
            more["waiting_on"] = ["customer|chargebee|c-rejected", "product|chargebee|p"]
        if state == "held":
            more |= {"batch": "changes-2", "plan": plan("x")}
        yield link(f"c-{state}", **ours, **more)
        yield link(f"o-{state}", entity="order", **order, **more)
    twice = Finding(
        kind="credited_after_invoice",
        text="x",
        todo="y",
        amount="5.00",
        currency="NOK",
        since=AT,
        said=(say("paid_but_open", ours=[say("document_order", number="1")], theirs="2"),),
        todo_said=(say("register_payment"),),
    )
    company = {**KARI, "kind": "company", "phone": None}
    yield link(
        "same",
        findings=[twice],
        differences=["phone", "kind"],
        asked=["phone"],
        held_back={"kind": "x"},
        held_back_said={"kind": say("go_keeps_no", field="kind", kind="company")},
        poweroffice=Side(id="77", version="1", seen=company),
    )
    command = msgspec.structs.replace(
        plan("blank"), op="update", fields={"phone": None}, expected={"phone": "1"}
    )
    yield link("blank", state="held", plan=command, batch="changes-2", said=[say("queued")])
    choices = {"candidates": ["blank", "go-7", "kari"], "candidates_count": 3}
    yield link("which", state="ambiguous", poweroffice=None, said=[say("same_email")], **choices)


def troubles() -> Iterator[Mirrored]:
    """What stands in control and in the vendors' health."""
    yield control("pause", "order/chargebee", {"at": AT})
    yield control("breaker", "customer/changes", {"open": True, "batch": 2})
    yield control("stopped", "poweroffice", {"pinned": "1", "found": "2", "at": AT})
    runs: tuple[tuple[Any, ...], ...] = (
        ("replay", "working", {"records": 3, "asked": 2, "left_alone": 1}),
        ("replay", "done", {}),
        ("rebuild", "clearing", {"cleared": 3}),
        ("reconcile", "paused", {"different": 1}),
        ("reconcile", "cancelled", {"chargebee/order": 1}),
    )
    for number, (kind, state, counts) in enumerate(runs):
        fact = {"kind": kind, "state": state, "args": {}, "counts": counts, "at": AT}
        parts = {"parts": {"chargebee/order": None, "poweroffice/order": 2}}
        yield control("run", f"z{number}", {**fact, **({} if kind == "replay" else parts)})
    mark = Cursor(
        tenant="acme",
        system="poweroffice",
        entity="health",
        at=AT,
        value={
            "last_error": {"order": {"error": "Timeout, says the vendor", "at": AT}},
            "orders": "not read: start.orders is not set",
        },
    )
    yield Mirrored("cursors", "acme/poweroffice/health", msgspec.json.encode(mark))


def fill(model: ReadModel) -> None:
    """The read model with all of it."""
    records = [
        Mirrored("links", f"acme/{each.entity}/{each.key}", encode(each)) for each in links()
    ]
    model.apply([*records, *troubles()], {}, {})
    problem = Problem.of("missing", say("order_lacks", what="currency"), "currency")
    letter = DeadLetter(
        reason="rejected", at=AT, topic="tandem.orders", command=plan("x"), problem=problem
    )
    put(model, "dead-letters", "acme/ours/1", letter)
    put_order(model, "vat", ("125.00", "25.00"), ("125.00", "24.99"), currency="NOK")
    put_order(model, "alone", ("10.00", "2.00"), None, currency="NOK")
    for key, facts in {
        "vat": {"findings": [next(e.findings[0] for e in links() if e.key == "same")]},
        "alone": {"state": "waiting", "said": [say("first_snapshots")]},
    }.items():
        held = model.link("acme", "order", key)
        assert held is not None
        changed = msgspec.structs.replace(held, **facts)  # type: ignore[arg-type]
        model.apply([Mirrored("links", f"acme/order/{key}", encode(changed))], {}, {})
    entry = JournalEntry(
        tenant="acme",
        entity="customer",
        link="same",
        entry="9",
        at=AT,
        rule="drift",
        text="x",
        cause="acme/run/m1",
        system="chargebee",
        field="phone",
        value="2",
        losing="1",
    )
    put(model, "journal", "acme/customer/same/9", entry)
    parts = {f"{s}/{e}": 2 for s in ("chargebee", "poweroffice") for e in ("customer", "order")}
    later = "2026-11-29T09:00:00.000000Z"
    put_run(model, "m1", kind="reconcile", state="done", args={}, parts=parts, at=later)


def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services of which one is silent, one waits, one has ended, one was never heard of, and one is
    of another release; and a signal that nobody took."""
    now = datetime.now(UTC)
    times: dict[str, Any] = {
        "since": iso(now),
        "at": iso(now),
        "beat": 1,
        "prefix": "tandem.",
        "version": "0.9",
    }

    async def beats(_kafka: Any) -> list[Heartbeat]:
        old = iso(now - timedelta(hours=1))
        return [
            Heartbeat(service="linker", slot="0/1", **{**times, "at": old}),
            Heartbeat(service="console", slot="0/1", stopped=True, problem="OSError", **times),
            Heartbeat(service="chargebee_adapter", slot="0/1", problem="starting", **times),
        ]

    async def signals(*_given: Any) -> list[Signal]:
        return [Signal(tenant="acme", id=by, kind="mode", at=AT, by=by) for by in ("kari", "")]

    async def lag(_settings: Settings) -> dict[str, int]:
        return {"linker": 3}

    monkeypatch.setattr(health, "read_heartbeats", beats)
    monkeypatch.setattr(health, "read_signals_left", signals)
    monkeypatch.setattr(health, "lag_of", lag)


async def unreachable(_settings: Settings) -> dict[str, int]:
    raise ConnectionError("no route")


def diagnosis(held: Settings) -> Diagnosis:
    """Everything that the doctor says without a vendor's keys, as far as it needs no Kafka."""
    tenant = held.tenants["acme"]
    undecided = Settings.model_validate(
        {"tenants": {"acme": {"chargebee": {"site": "x"}, "poweroffice": {"environment": "demo"}}}}
    )
    facts: dict[str, Any] = {"state": "ready", "version": "0.9", "since": AT, "heard_at": AT}
    twice = [Process(service="linker", slot="0/2", **facts) for _ in range(2)]
    pins = {("acme", "chargebee"): "x", ("acme", "order_source"): "invoices"}
    checks = [
        *doctor.decisions("acme", tenant),
        *doctor.decisions("acme", undecided.tenants["acme"]),
        *doctor.without_keys("acme", doctor.Held(pins=pins)),
        *doctor.without_keys("acme", doctor.Held(why=say("unreachable"))),
        *(doctor.pinned_source("acme", tenant, doctor.Held(pins=each)) for each in (pins, {})),
        *doctor_services.of_slots(held, twice),
        *doctor_services.of_versions(twice, "1.0"),
        *doctor_services.of_prefixes(held, {"x.": ["linker"]}),
    ]
    steps = [
        step
        for found, of, modes in (
            (checks, held, {}),
            ([], held, {}),
            ([], held, {"acme": "observe"}),
            ([], undecided, {}),
        )
        for step in doctor.next_steps(found, of, ["acme"], modes)
    ]
    return Diagnosis(checks, steps)


def test_no_page_in_norwegian_holds_an_english_sentence_of_ours(
    model: ReadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(model)
    watched(monkeypatch)
    held = settings_of().model_copy(update={"kafka": KafkaSettings(partitions=1)})
    browser = Browser(held, model)
    browser.diagnosis = diagnosis(held)
    browser.post("/language", data={"language": "nb", "back": "/"})
    pages = {"/login": browser.see("/login")}
    browser.login()
    with monkeypatch.context() as away:
        away.setattr(health, "LASTS_S", 0.0)
        away.setattr(health, "lag_of", unreachable)
        pages["without Kafka"] = browser.see("/acme/")
    browser.post("/acme/doctor", data={"csrf": browser.csrf()})
    numbers = {each.key: model.number_of(each) for each in model.links("acme")}
    which, other = numbers["which"], numbers["go-7"]
    runs = {each.id for each in model.controls("acme", "run")}
    kinds = ("ambiguous", "asked", "conflict", "rejected", "broken", "held", "letter")
    addresses = (
        *PAGES,
        *(f"/acme/records/{number}" for number in numbers.values()),
        *(f"/acme/runs/{run}" for run in runs),
        *(f"/acme/needs?kind={kind}" for kind in kinds),
        "/acme/records?entity=order",
        f"/acme/records/{which}?candidate={other}",
    )
    pages |= {each: browser.see(each) for each in addresses}
    pages |= {each: browser.see(each, 404) for each in ("/nobody/", "/acme/records/999")}
    browser.answer = {"result": "refused", "said": msgspec.to_builtins([say("refused_orders")])}
    pages["refused"] = browser.act("reconcile", 409)
    browser.answer = None
    pages["not taken"] = browser.act("reconcile", 202)
    browser.login("reader", "reader")
    pages["may not"] = browser.act("reconcile", 403)
    catalogue = {en for en, nb in read("nb.json").items() if en != nb}
    single = catalogue - {*NORWEGIAN.split(), "observe", "update"}  # a mode, a rule of the journal
    sentences = english()
    assert len(sentences) > 500
    found = {}
    for page, text in pages.items():
        words = shown(text)
        lone = set[str]() if page.endswith("/settings") else alone(text) & single  # keys, values
        found[page] = sorted({each for each in sentences if each in words} | lone)
    assert {page: words for page, words in found.items() if words} == {}

"""The console's page: who may see it, what each page shows, and the signal of each form."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from argon2 import PasswordHasher

from contracts.checks import finding
from contracts.entities import System
from contracts.links import encode
from contracts.messages import (
    Command,
    Control,
    DeadLetter,
    Finding,
    JournalEntry,
    Link,
    Observed,
    Reading,
    Side,
)
from contracts.said import say
from contracts.settings import Settings
from contracts.signals import OfOperator, args_of
from services.console import drift, reports
from services.console.base import NotFound
from services.console.model import ReadModel
from services.console.model_rows import Mirrored
from services.console.web.app import SECURITY, WebConsole
from services.console.web.doctor_page import Diagnosis
from services.console.web.health import HealthWatch
from services.console.web.outside import Outside
from services.console.web.taken import LASTS, TakenThings
from services.console.web.words import catalogue

AT = "2026-11-29T06:00:00.000000Z"
TOKEN = "a-token-of-the-tests"
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"
PASSWORDS = {name: PasswordHasher(1, 8, 1).hash(name) for name in ("reader", "operator", "admin")}
KARI: dict[str, Any] = {
    "kind": "person",
    "first_name": "Kari",
    "last_name": "Nordmann",
    "email": "kari@eksempel.no",
    "phone": "+47 1",
}


def settings_of(*, pages: dict[str, str] | None = None, **console: Any) -> Settings:
    users = {name: {"password_hash": hashed, "role": name} for name, hashed in PASSWORDS.items()}
    tenant = {
        "mode": "sync",
        "chargebee": {"site": "acme-test", "prices": "net", "pages": pages or {}},
        "poweroffice": {"environment": "demo"},
        "invoicing": {"by": "chargebee"},
        "start": {"orders": "2026-01-01"},
    }
    held = {"token": TOKEN, "users": users, **console}
    return Settings.model_validate(
        {"console": {k: v for k, v in held.items() if v is not None}, "tenants": {"acme": tenant}}
    )


def link(key: str, **fields: Any) -> Link:
    """A linked customer unless told otherwise."""
    facts: dict[str, Any] = {
        "entity": "customer",
        "state": "linked",
        "chargebee": Side(id=key, version="1796025600000", seen=KARI),
        "poweroffice": Side(id=f"5{key}", version="2026-11-29T06:00:00Z#1", seen=KARI),
        **fields,
    }
    return Link(tenant="acme", key=key, **facts)


def plan(key: str, target: Any = "poweroffice") -> Command:
    return Command(
        tenant="acme",
        entity="customer",
        link=key,
        seq=1,
        target=target,
        op="create",
        lane="bulk",
        cause="x",
        fields=KARI,
    )


TWICE = Finding(
    kind="invoiced_twice",
    text="invoice 20009 in Go stands beside invoice 41 in Chargebee",
    todo="credit invoice 20009",
    amount="1250.00",
    currency="NOK",
    since=AT,
)
LINKS = (
    link("kari"),
    link("ole", differences=["phone"], asked=["phone"]),
    link(
        "dobbel",
        state="ambiguous",
        poweroffice=None,
        candidates=["go-7"],
        candidates_count=1,
        reason="the e-mail is equal to that of go-7",
    ),
    link("go-7", state="linked", chargebee=None, poweroffice=Side(id="7", version="1", seen=KARI)),
    link("nei", state="rejected", poweroffice=None, reason=f"Go says {HOSTILE}"),
    link("ny", state="held", poweroffice=None, plan=plan("ny"), batch="creates-1"),
    link(
        "41",
        entity="order",
        state="sent",
        findings=[TWICE],
        chargebee=Side(
            id="41", version="1", seen={"number": "41", "currency": "NOK", "total": "1250.00"}
        ),
        poweroffice=Side(id="941", version="1", seen={"status": "sent"}),
    ),
)


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ReadModel]:
    with closing(ReadModel(tmp_path / "model", "cluster/tandem.")) as held:
        records = [
            Mirrored("links", f"acme/{each.entity}/{each.key}", encode(each)) for each in LINKS
        ]
        run: dict[str, Any] = {"kind": "reconcile", "state": "done", "at": AT, "args": {}}
        run["parts"] = {"chargebee/product": 0, "poweroffice/product": 0}
        entry = JournalEntry(
            tenant="acme",
            entity="customer",
            link="kari",
            entry="1",
            at=AT,
            rule="update",
            text="update in poweroffice: phone",
            cause="x",
        )
        letter = DeadLetter(
            reason="Go refused", at=AT, topic="tandem.commands.poweroffice", command=plan("nei")
        )
        unread = DeadLetter(
            reason="not understood",
            at=AT,
            topic="tandem.customers",
            key="acme/x",
            body_base64="e30=",
        )
        facts = Control(tenant="acme", kind="run", id="r1", at=AT, value=run)
        did = {"did": {"entity": "customer", "chargebee": "kari", "poweroffice": "5kari"}}
        signal = Control(
            tenant="acme", kind="signal", id="s7", at=AT, value={**did, "result": "done", "at": AT}
        )
        for topic, key, value in (
            ("control", "acme/run/r1", facts),
            ("control", "acme/signal/s7", signal),
            ("journal", "acme/customer/kari/1", entry),
            ("dead-letters", "acme/nei/1", letter),
            ("dead-letters", "unread/1", unread),
        ):
            records.append(Mirrored(topic, key, msgspec.json.encode(value)))
        held.apply(records, {}, {})
        yield held


class Browser:
    """A browser on a console whose linker answers `answer`."""

    away: Exception | None

    def __init__(self, settings: Settings, model: ReadModel | None) -> None:
        self.sent: list[tuple[str, str, dict[str, Any], str]] = []
        self.answer: dict[str, Any] | None = {"signal": "s1", "result": "done"}

        async def send(tenant: str, said: OfOperator, by: str) -> dict[str, Any] | None:
            self.sent.append((tenant, said.KIND, args_of(said), by))
            return self.answer

        async def again(messages: Mapping[str, DeadLetter]) -> None:
            if self.away is not None:
                raise self.away
            self.again += messages

        async def ranges_of(tenant: str, *given: Any) -> dict[str, tuple[int, int]]:
            if self.away is not None:
                raise self.away
            self.ranges.append(given)
            return {"customers": (3, 9)}

        async def diagnose(tenant: str) -> Diagnosis:
            return self.diagnosis

        found = finding("topics", f"2 of 9 {HOSTILE}", "create them")
        self.diagnosis = Diagnosis([found], [say("next_correct_one")])
        self.model, self.again, self.away = model, list[str](), None
        self.ranges: list[tuple[Any, ...]] = []
        watch, outside = HealthWatch(settings), Outside(send, again, ranges_of, diagnose)
        self.app = WebConsole(settings, lambda: self.model, outside, watch).app()
        self.cookies = httpx.Cookies()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def asking() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://console", cookies=self.cookies
            ) as http:
                answer = await http.request(method, path, **more)
                self.cookies = http.cookies
                return answer

        return asyncio.run(asking())

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("POST", path, **more)

    def login(self, name: str = "", password: str = TOKEN) -> int:
        return self.post("/login", data={"name": name, "password": password}).status_code

    def see(self, path: str, code: int = 200) -> str:
        answer = self.ask("GET", path)
        assert answer.status_code == code, answer.text
        for name, value in SECURITY.items():
            assert answer.headers[name] == value
        return answer.text

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', self.see("/acme/needs"))
        assert found is not None
        return found[1]

    def act(self, kind: str, code: int = 303, /, **form: str) -> str:
        given = {"csrf": self.csrf(), "back": "/acme/needs", **form}
        answer = self.post(f"/acme/act/{kind}", data=given)
        assert answer.status_code == code, answer.text
        return answer.text if code != 303 else answer.headers["location"]


@pytest.fixture
def browser(model: ReadModel) -> Browser:
    """Logged in with the token."""
    held = Browser(settings_of(), model)
    assert held.login() == 303
    return held


PAGES = (
    "/acme/",
    "/acme/needs",
    "/acme/records",
    "/acme/records?state=linked",
    "/acme/held",
    "/acme/runs",
    "/acme/runs/r1",
    "/acme/month",
    "/acme/month?month=2026-10",
    "/acme/activity",
    "/acme/letters",
    "/acme/doctor",
    "/acme/settings",
)


def number(model: ReadModel, key: str) -> int:
    held = next(each for each in LINKS if each.key == key)
    found = model.number_of(held)
    assert found is not None
    return found


# -- who may see it


def test_without_a_login_nothing_is_shown(model: ReadModel) -> None:
    stranger = Browser(settings_of(), model)
    for page in (*PAGES, "/", "/live", f"/acme/records/{number(model, 'kari')}"):
        answer = stranger.ask("GET", page)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert stranger.post("/acme/act/pause", data={}).status_code == 303
    assert stranger.sent == []


def test_without_token_and_users_the_page_says_how_to_set_one(model: ReadModel) -> None:
    closed = Browser(settings_of(token=None, users={}), model)
    assert "TANDEM_CONSOLE__TOKEN" in closed.see("/login", 503)
    assert closed.login() == 503


def test_a_person_logs_in_by_password_or_token_and_out_again(model: ReadModel) -> None:
    held = Browser(settings_of(), model)
    for name, password in (("", "wrong"), ("reader", "wrong"), ("nobody", "nobody")):
        assert held.login(name, password) == 401
    assert held.login("reader", "reader") == 303
    assert "Log out reader" in held.see("/acme/needs")
    answer = held.post("/logout", data={"csrf": held.csrf()})
    assert answer.headers["location"] == "/login"
    assert held.ask("GET", "/acme/").status_code == 303


def test_many_wrong_logins_are_not_even_tried(model: ReadModel) -> None:
    held = Browser(settings_of(), model)
    assert [held.login("", "wrong") for _ in range(10)] == [401] * 10
    assert held.login() == 429


def test_a_session_ends_with_its_password(model: ReadModel) -> None:
    before = Browser(settings_of(), model)
    before.login("operator", "operator")
    after = Browser(settings_of(token="another-token-of-them"), model)
    after.cookies = before.cookies
    assert after.ask("GET", "/acme/").status_code == 303


def test_a_cookie_is_kept_from_scripts_and_strangers(model: ReadModel) -> None:
    held = Browser(settings_of(https=True), model)
    (cookie,) = held.post("/login", data={"password": TOKEN}).headers.get_list("set-cookie")
    for word in ("HttpOnly", "SameSite=strict", "Secure"):
        assert word in cookie


# -- what is shown


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_small_and_shows_nothing_of_a_stranger_as_code(
    browser: Browser, page: str
) -> None:
    text = browser.see(page)
    assert len(text.encode()) < 60_000
    assert "<script>alert" not in text
    assert "\x1b" not in text and "\u202e" not in text
    assert TOKEN not in text and PASSWORDS["admin"] not in text
    assert not re.search(r"\son\w+=|style=|javascript:", text), "the policy would refuse it"


def test_no_address_holds_what_is_known_of_a_person(browser: Browser, model: ReadModel) -> None:
    """Records have numbers; a search is posted."""
    pages = [*PAGES, *(f"/acme/records/{number(model, each.key)}" for each in LINKS)]
    for page in pages:
        for address in re.findall(r'(?:href|action)="([^"]*)"', browser.see(page)):
            assert not re.search("kari|ole|dobbel|eksempel", address), (page, address)


def test_the_list_of_needs_begins_with_the_most_money(browser: Browser) -> None:
    text = browser.see("/acme/needs")
    assert text.index("invoiced_twice") < text.index("the e-mail is equal")
    for words in ("credit invoice 20009", "NOK 1,250.00", "phone: changed on both sides"):
        assert words in text
    assert "creates-1: create 1 x customer in Go" in text
    assert "Go refused" in text
    only = browser.see("/acme/needs?kind=ambiguous")
    assert "invoiced_twice" not in only
    csv = browser.see("/acme/needs.csv").splitlines()
    assert csv[0].startswith("kind,entity,key") and len(csv) == 8


def test_a_record_shows_both_sides_and_what_may_be_done(browser: Browser, model: ReadModel) -> None:
    text = browser.see(f"/acme/records/{number(model, 'ole')}")
    assert "Keep Chargebee" in text and "Let both stand" in text
    text = browser.see(f"/acme/records/{number(model, 'kari')}")
    assert "update in poweroffice: phone" in text and 'value="s7"' in text
    text = browser.see(f"/acme/records/{number(model, 'dobbel')}")
    candidate = number(model, "go-7")
    assert f"?candidate={candidate}" in text and "It is none of them" in text
    text = browser.see(f"/acme/records/{number(model, 'dobbel')}?candidate={candidate}")
    assert "They are one: link them" in text
    browser.see("/acme/records/999", 404)
    browser.see(f"/acme/records/{number(model, 'dobbel')}?candidate=x", 404)


def test_a_search_finds_by_any_word_and_keeps_it_out_of_the_address(browser: Browser) -> None:
    form = {"csrf": browser.csrf(), "text": "EKSEMPEL", "entity": "customer", "state": "rejected"}
    answer = browser.post("/acme/records", data=form)
    assert "nei" in answer.text and "Nordmann" in answer.text
    assert "data-live" not in answer.text, "asked for anew without its words it would be empty"
    assert "data-live" in browser.see("/acme/records")
    assert "Nordmann" in browser.post("/acme/records", data=form | {"text": "OrdM"}).text
    for none in ({"text": "xyzzy"}, {"text": "ordm", "state": "sent"}, {"text": "zq"}):
        assert "Nothing was found" in browser.post("/acme/records", data=form | none).text


def test_a_filter_is_saved_for_its_person_and_outlives_the_console(
    model: ReadModel, tmp_path: Path
) -> None:
    """Its words are not; another person does not see it, and neither does another tenant."""
    settings = settings_of(data=str(tmp_path))
    kari = Browser(settings, model)
    kari.login("reader", "reader")
    form = {"csrf": kari.csrf(), "name": f"  To look  at {HOSTILE}", "state": "rejected"}
    answer = kari.post("/acme/filters", data=form | {"entity": "", "text": "kari"})
    assert answer.headers["location"] == "/acme/records?state=rejected"
    kari.post("/acme/filters", data=form | {"name": "A", "entity": "customer"})
    held = (tmp_path / "filters.json").read_text()
    assert "kari" not in held and (tmp_path / "filters.json").stat().st_mode & 0o777 == 0o600

    again = Browser(settings, model)
    again.login("reader", "reader")
    text = again.see("/acme/records?entity=customer&state=rejected")
    first, second = re.findall(r'<a href="/acme/records\?([^"]*)"', text)
    assert (first, second) == ("entity=customer&amp;state=rejected", "state=rejected")
    assert "To look at &lt;script&gt;" in text and 'aria-current="true">A<' in text
    another = Browser(settings, model)
    another.login("admin", "admin")
    assert "Your filters" not in another.see("/acme/records")

    again.post("/acme/filters/delete", data={"csrf": again.csrf(), "name": "A"})
    assert ">A</a>" not in again.see("/acme/records")
    (tmp_path / "filters.json").write_text("{")
    assert "Your filters" not in again.see("/acme/records")


def test_a_filter_without_a_name_or_of_no_state_is_refused(
    model: ReadModel, tmp_path: Path
) -> None:
    held = Browser(settings_of(data=str(tmp_path)), model)
    held.login()
    csrf = held.csrf()
    for wrong in ({"name": " "}, {"name": "x" * 61}, {"name": "x", "state": "gone"}):
        answer = held.post("/acme/filters", data={"csrf": csrf, "state": "held"} | wrong)
        assert answer.status_code == 400
    for number in range(31):
        form = {"csrf": csrf, "name": str(number), "entity": "order"}
        answer = held.post("/acme/filters", data=form)
    assert answer.status_code == 400 and "delete one" in answer.text
    assert held.post("/acme/filters", data={"name": "x"}).status_code == 403


def test_a_number_stays_when_its_record_changes(model: ReadModel) -> None:
    before = number(model, "kari")
    changed = msgspec.structs.replace(LINKS[0], state="conflict")
    model.apply([Mirrored("links", "acme/customer/kari", encode(changed))], {}, {})
    held = model.numbered("acme", before)
    assert held is not None and (held.key, held.state) == ("kari", "conflict")


def test_every_word_of_the_pages_is_there_in_norwegian(browser: Browser) -> None:
    templates = Path("services/console/web/templates").glob("*.html")
    words = {w for each in templates for w in re.findall(r'_\("([^"]+)"\)', each.read_text())}
    assert words - set(catalogue("nb")) == set()
    browser.post("/language", data={"language": "nb", "back": "/acme/needs"})
    text = browser.see("/acme/needs")
    assert 'lang="nb"' in text and "Trenger deg" in text
    assert "NOK 1\u00a0250,00" in text


def test_an_unread_model_and_an_unknown_tenant_are_told(browser: Browser) -> None:
    browser.see("/nobody/", 404)
    browser.model = None
    assert "being read" in browser.see("/acme/", 503)


def test_reasons_and_findings_are_norwegian_and_the_vendors_words_are_quoted(
    browser: Browser, model: ReadModel
) -> None:
    theirs = say("refused", system="poweroffice", why="Email is not valid")
    ours = say("refused", system="poweroffice", why=say("order_lacks", what="order date"))
    told = msgspec.structs.replace(
        TWICE,
        said=(say("invoiced_twice", ours="order 41, invoice 41", theirs="invoice 20009"),),
        todo_said=(say("credit_in_go", amount="1250.00"),),
    )
    for each in (
        link("nei", state="rejected", poweroffice=None, reason="x", said=[theirs]),
        link("heller", state="rejected", poweroffice=None, reason="x", said=[ours]),
        link("41", entity="order", state="sent", findings=[told]),
    ):
        name = f"acme/{each.entity}/{each.key}"
        model.apply([Mirrored("links", name, encode(each))], {}, {})
    assert "Go refused: “Email is not valid”" in browser.see("/acme/needs")
    browser.post("/language", data={"language": "nb", "back": "/acme/needs"})
    text = browser.see("/acme/needs")
    assert "Go avviste: «Email is not valid»" in text
    assert "Go avviste: ordren mangler ordredato; fyll ut i PowerOffice Go" in text
    assert "fakturert i Chargebee (order 41, invoice 41) og en gang til i Go" in text
    assert "krediter 1250.00 i Go" in text and "fakturert to ganger" in text


# -- who works on what


def marks(text: str) -> list[str]:
    return re.findall(r'name="mark" value="(\w+)"', text)


def test_who_takes_something_is_shown_to_others_until_it_ends(
    browser: Browser, model: ReadModel, tmp_path: Path
) -> None:
    browser = Browser(settings_of(data=str(tmp_path)), model)
    browser.login("operator", "operator")
    mark = marks(browser.see("/acme/needs"))[0]
    form = {"csrf": browser.csrf(), "mark": mark}
    assert browser.post("/acme/take", data=form).status_code == 303
    assert "Let go of it" in browser.see("/acme/needs")
    other = Browser(settings_of(data=str(tmp_path)), model)
    other.login("admin", "admin")
    text = other.see("/acme/needs")
    assert "Taken by operator" in text and text.count("Take it over") == 1
    assert other.see("/acme/needs.csv").count(",operator,20") == 1
    theirs = {"csrf": other.csrf(), "mark": mark}
    assert other.post("/acme/take", data=theirs).status_code == 303
    assert "Taken by admin" in browser.see("/acme/needs")
    assert other.post("/acme/take/end", data=theirs).status_code == 303
    assert "Taken by" not in browser.see("/acme/needs")
    assert other.post("/acme/take", data={"mark": mark}).status_code == 403
    assert other.post("/acme/take", data={**theirs, "mark": "0" * 24}).status_code == 400
    assert "kari" not in (tmp_path / "taken.json").read_text()
    reader = Browser(settings_of(data=str(tmp_path)), model)
    reader.login("reader", "reader")
    assert marks(reader.see("/acme/needs")) == []
    csrf = re.search(r'name="csrf" value="(\w+)"', reader.see("/acme/needs"))
    assert csrf is not None
    given = {"csrf": csrf[1], "mark": mark}
    assert reader.post("/acme/take", data=given).status_code == 403


def test_what_was_taken_ends_by_itself_and_with_what_it_is_about(tmp_path: Path) -> None:
    held, now = TakenThings(tmp_path), datetime(2026, 11, 30, 8, 0, tzinfo=UTC)
    held.take("acme", "a", "kari", now, ["a", "b"])
    assert held.of("acme", now + LASTS - timedelta(seconds=1))["a"].by == "kari"
    assert held.of("acme", now + LASTS) == {}
    held.take("acme", "b", "ole", now, ["b"])  # what "a" was about is settled
    assert held.of("acme", now).keys() == {"b"}
    assert held.of("other", now) == {}
    held.let_go("acme", "b", now)
    assert held.of("acme", now) == {}


def test_a_record_links_to_its_pages_in_the_systems_where_the_settings_tell_them(
    model: ReadModel,
) -> None:
    """An id may hold anything; it stays one part of the path."""
    pages = {"customer": "https://acme.example.com/c/{id}/show"}
    browser = Browser(settings_of(pages=pages), model)
    browser.login()
    odd = link("a/b?c", poweroffice=Side(id="941", version="1", seen=KARI))
    odd = msgspec.structs.replace(odd, chargebee=Side(id="a/b?c", version="1", seen=KARI))
    model.apply([Mirrored("links", "acme/customer/a/b?c", encode(odd))], {}, {})
    text = browser.see(f"/acme/records/{model.number_of(odd)}")
    assert 'href="https://acme.example.com/c/a%2Fb%3Fc/show"' in text
    assert text.count("acme.example.com") == 1  # Go's are not told


# -- what is decided

FORMS: tuple[tuple[str, dict[str, str], dict[str, Any]], ...] = (
    ("pause", {"entity": "order", "target": ""}, {"entity": "order"}),
    ("resume", {}, {}),
    ("mode", {"mode": "observe"}, {"mode": "observe"}),
    (
        "release",
        {"entity": "customer", "batch": "creates-1", "shown.creates-1": "1"},
        {"entity": "customer", "batch": "creates-1", "shown": {"creates-1": 1}},
    ),
    ("discard", {"entity": "customer", "batch": "creates-1"}, {"entity": "customer"}),
    ("redrive", {"entity": "customer", "key": "nei"}, {"entity": "customer", "key": "nei"}),
    (
        "settle",
        {"entity": "customer", "key": "ole", "field": "phone", "keep": "chargebee"},
        {"entity": "customer", "key": "ole", "field": "phone", "keep": "chargebee"},
    ),
    (
        "settle",
        {"entity": "order", "key": "41", "finding": "invoiced_twice", "remark": " paid\r\ntwice "},
        {"entity": "order", "key": "41", "finding": "invoiced_twice", "remark": "paid twice"},
    ),
    ("forget", {"entity": "customer", "key": "kari"}, {"entity": "customer", "key": "kari"}),
    (
        "pick",
        {"entity": "customer", "key": "dobbel", "new": "true"},
        {"entity": "customer", "key": "dobbel", "new": True},
    ),
    ("unlink", {"entity": "customer", "key": "kari"}, {"entity": "customer", "key": "kari"}),
    ("undo", {"signal": "s7"}, {"signal": "s7"}),
    ("reconcile", {"entity": "", "repair": "true"}, {"repair": True}),
    ("run_cancel", {"run": "r1"}, {"run": "r1"}),
)


@pytest.mark.parametrize(("kind", "form", "args"), FORMS)
def test_a_form_sends_the_signal_of_the_command_line_with_the_persons_name(
    browser: Browser, kind: str, form: dict[str, str], args: dict[str, Any]
) -> None:
    assert browser.act(kind, **form) == "/acme/needs?done=1"
    ((tenant, sent, given, by),) = browser.sent
    assert (tenant, sent, by) == ("acme", kind, "token")
    assert args.items() <= given.items()


def test_one_dead_letter_is_tried_again_where_it_is_shown(browser: Browser) -> None:
    """As `tandem redrive --letter`: a command is planned again, a message is sent again; the
    letters of a record that is tried again are done with too."""
    for page in ("/acme/needs", "/acme/letters"):
        text = browser.see(page)
        for key in ("acme/nei/1", "unread/1"):
            assert f'name="letter" value="{key}"' in text, page
    browser.act("redrive", letter="acme/nei/1")
    browser.act("redrive", letter="unread/1")
    browser.act("redrive", entity="customer", key="nei")
    named = {"names": [("customer", "nei")], "letters": ["acme/nei/1"]}
    assert [given for _, _, given, _ in browser.sent] == [
        named,
        {"names": [], "letters": ["unread/1"]},
        {"entity": "customer", "key": "nei", "letters": ["acme/nei/1"]},
    ]
    assert browser.again == ["unread/1"]
    assert "no dead letter" in browser.act("redrive", 404, letter="gone")
    browser.away = NotFound(say("letter_lost", key="x", place="y"))
    assert "is not kept" in browser.act("redrive", 404, letter="unread/1")
    browser.away = ConnectionError("no route")
    assert "Kafka cannot be used" in browser.act("redrive", 503, letter="unread/1")
    assert len(browser.sent) == 3


def test_a_record_is_forgotten_with_its_history_and_letters(browser: Browser) -> None:
    browser.act("forget", entity="customer", key="kari")
    browser.act("forget", entity="customer", key="nei")
    (_, _, kari, _), (_, _, nei, _) = browser.sent
    assert kari == {"entity": "customer", "key": "kari", "journal": ["acme/customer/kari/1"]}
    assert nei == {"entity": "customer", "key": "nei", "letters": ["acme/nei/1"]}
    assert "no customer" in browser.act("forget", 404, entity="customer", key="gone")


def put(model: ReadModel, topic: str, key: str, value: Any) -> None:
    model.apply([Mirrored(topic, key, msgspec.json.encode(value))], {}, {})


def put_run(model: ReadModel, run: str, **fact: Any) -> None:
    held = Control(tenant="acme", kind="run", id=run, at=AT, value={"at": AT, **fact})
    put(model, "control", f"acme/run/{run}", held)


def test_a_replay_is_a_dry_run_first_and_then_the_same_for_real(
    browser: Browser, model: ReadModel
) -> None:
    assert "Dry run" in browser.see("/acme/runs")
    browser.answer = {"result": "done", "run": "d1", "signal": "d1"}
    form = {"from": "2026-11-28T10:00", "to": "2026-11-29T10:00+01:00", "entity": "customer"}
    where = browser.act("replay", 303, **form, id="kari", side="chargebee", dry_run="")
    assert where == "/acme/runs/d1?done=1"
    ((begin, end, entity, _),) = browser.ranges
    assert (begin.isoformat(), end.isoformat(), entity) == (
        "2026-11-28T09:00:00+00:00",
        "2026-11-29T09:00:00+00:00",
        "customer",
    )
    args = {
        "ranges": {"customers": (3, 9)},
        "entity": "customer",
        "id": "kari",
        "side": "chargebee",
    }
    assert browser.sent == [("acme", "replay", {**args, "dry_run": True}, "token")]

    counts = {"asked": 4, "answered": 1, "different": 1}
    fact: dict[str, Any] = {"kind": "replay", "dry_run": True, "counts": counts}
    fact |= {"args": {**args, "dry_run": True}}
    put_run(model, "d1", state="working", **fact)
    text = browser.see("/acme/runs/d1")
    assert 'max="4" value="1"' in text and "for real" not in text
    assert "is done" in browser.act("replay", 404, run="d1")
    would = JournalEntry(
        tenant="acme",
        entity="customer",
        link="kari",
        entry="2",
        at=AT,
        rule="would",
        text="would update phone in poweroffice",
        cause="acme/run/d1",
    )
    put(model, "journal", "acme/customer/kari/2", would)
    put_run(model, "d1", state="done", **fact)
    text = browser.see("/acme/runs/d1")
    assert "would update phone" in text and "Replay it for real" in text
    browser.act("replay", run="d1")
    assert browser.sent[-1] == ("acme", "replay", args, "token")


def test_a_replay_that_does_not_fit_is_told(browser: Browser) -> None:
    assert "no time" in browser.act("replay", 400, **{"from": "yesterday"})
    assert "no time" in browser.act("replay", 400)
    assert "side" in browser.act("replay", 400, **{"from": "2h"}, side="go")
    assert "is known of" in browser.act("replay", 404, **{"from": "2h"}, id="gone")
    browser.away = NotFound(say("range_empty"))
    assert "nothing in that range" in browser.act("replay", 404, **{"from": "2h"})
    browser.away = ConnectionError("no route")
    browser.act("replay", 503, **{"from": "2h"})
    assert browser.sent == []


def test_what_the_last_reconcile_found_is_a_table_with_files(
    browser: Browser, model: ReadModel
) -> None:
    parts = {"chargebee/customer": 1, "poweroffice/customer": 0}
    put_run(model, "r2", kind="reconcile", state="done", args={}, parts=parts)
    for number in range(90):
        record = Observed(
            tenant="acme",
            system="chargebee",
            entity="customer",
            id=f"new-{number:02}",
            version="1",
            data={**KARI, "email": HOSTILE},
            mapping=1,
            observed_at=AT,
        )
        put(
            model,
            "readings",
            f"acme/chargebee/customer/{record.id}",
            Reading(run="r2", record=record),
        )
    text = browser.see("/acme/runs/r2")
    assert "<td>extra</td><td>customer</td>" in text and "more; the files have all of them" in text
    assert len(text.encode()) < 60_000
    assert browser.see("/acme/runs/r2.csv").count("\nextra,customer,,chargebee,new-") == 90
    answer = browser.ask("GET", "/acme/runs/r2.html")
    assert answer.headers["content-disposition"] == 'attachment; filename="acme-drift-r2.html"'
    assert answer.text.count("<td>extra</td>") == 90
    assert re.search('href="/acme/runs/r[12]">What the last', browser.see("/acme/runs"))
    browser.see("/acme/runs/none.csv", 404)


def test_what_a_comparison_found_is_counted_once_and_goes_when_a_record_is_forgotten(
    browser: Browser, model: ReadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of a run that has ended looks at no link: it would take seconds of 100,000."""
    parts = {"chargebee/customer": 1, "poweroffice/customer": 0}
    put_run(model, "r2", kind="reconcile", state="done", at=AT, args={}, parts=parts)
    assert reports.count_ended(model, "acme", AT) == 2
    assert reports.count_ended(model, "acme", AT) == 0
    before = browser.see("/acme/runs/r2")
    assert "Counted" in before and "<td>missing</td>" in before
    with monkeypatch.context() as patched:
        patched.setattr(drift, "drift_of", None)
        assert browser.see("/acme/runs/r2") == before
    model.apply([Mirrored("links", "acme/customer/kari", None)], {}, {})
    assert reports.kept(model, "acme", "r2") is None
    later = "2027-01-01T00:00:00.000Z"
    put_run(model, "r3", kind="reconcile", state="done", at=later, args={}, parts=parts)
    assert reports.count_ended(model, "acme", later) == 2
    assert reports.kept(model, "acme", "r3") is not None


def put_order(model: ReadModel, key: str, *amounts: tuple[str, str] | None, currency: str) -> None:
    """An order as run m1 read it: gross and VAT in Chargebee and in Go, None where it is not."""
    sides: dict[str, Any] = {}
    systems: tuple[System, System] = ("chargebee", "poweroffice")
    for system, held in zip(systems, amounts, strict=True):
        if held is None:
            continue
        total, tax = held
        data = {"number": f"{key}-{system}", "currency": currency, "order_date": "2026-10-31"}
        data |= {"total": total, "tax": tax, "net": str(Decimal(total) - Decimal(tax))}
        record = Observed(
            tenant="acme",
            system=system,
            entity="order",
            id=f"{system}-{key}",
            version="1",
            data=data,
            mapping=1,
            observed_at=AT,
        )
        sides[system] = Side(id=record.id, version="1", seen=data)
        key_of = f"acme/{system}/order/{record.id}"
        put(model, "readings", key_of, Reading(run="m1", record=record))
    held_as = Link(tenant="acme", entity="order", key=key, state="linked", **sides)
    model.apply([Mirrored("links", f"acme/order/{key}", encode(held_as))], {}, {})


def test_a_month_is_added_up_with_the_orders_that_explain_a_difference(
    browser: Browser, model: ReadModel
) -> None:
    assert "have not been read" in browser.see("/acme/month")
    browser.see("/acme/month.csv?month=2026-10", 404)
    parts = {"chargebee/order": 5, "poweroffice/order": 4}
    put_run(model, "m1", kind="reconcile", state="reading", args={}, parts=parts)
    text = browser.see("/acme/month?month=2026-10")
    assert "Orders were read last by" in text and "<caption>2026-10" not in text
    put_run(model, "m1", kind="reconcile", state="done", args={}, parts=parts)
    # Kafka keeps readings for some days.
    text = browser.see("/acme/month?month=2026-10")
    assert "what it read is no longer kept" in text and "No order of this month" not in text
    browser.see("/acme/month.csv?month=2026-10", 404)
    put_order(model, "same", ("125.00", "25.00"), ("125.0", "25"), currency="NOK")
    put_order(model, "vat", ("125.00", "25.00"), ("125.00", "24.99"), currency="NOK")
    put_order(model, "alone", ("10.00", "2.00"), None, currency="NOK")
    put_order(model, "euro", None, ("7.00", "0"), currency="EUR")

    text = browser.see("/acme/month?month=2026-10")
    assert "data-live" not in text, "it is not added up anew at each change"
    said = re.sub(r"<[^>]+>|\s+", " ", text)
    rows = " ".join(said.split())
    assert "NOK Chargebee 3 208.00 52.00 260.00" in rows
    assert "NOK Go 2 200.01 49.99 250.00" in rows
    assert "NOK difference 1 7.99 2.01 10.00 1 on one side , 1 that differ" in rows
    assert "net -0.01, VAT 0.01" in rows
    assert "same-chargebee" not in text, "what agrees explains nothing"
    euro = browser.see("/acme/month?month=2026-10&currency=EUR")
    assert "euro-poweroffice" in euro and "alone-chargebee" not in euro
    held = model.link("acme", "order", "alone")
    assert held is not None and f"/acme/records/{model.number_of(held)}" in text

    csv = browser.see("/acme/month.csv?month=2026-10").splitlines()
    assert csv[0].startswith("link,date,currency") and len(csv) == 5
    page = browser.see("/acme/month.html?month=2026-10")
    assert "read 2026-11-29T06:00:00Z" in page and page.count("<h2>") == 3
    assert "No order of this month" in browser.see("/acme/month?month=2026-09")
    browser.see("/acme/month?month=oktober", 400)


def test_readings_that_a_later_run_has_taken_are_not_reported(
    browser: Browser, model: ReadModel
) -> None:
    """A record is kept as it was read last: an earlier run would miss all of them."""
    parts = {"chargebee/order": 1, "poweroffice/order": 1}
    put_run(model, "m1", kind="reconcile", state="done", args={}, parts=parts)
    later = "2026-11-29T07:00:00.000000Z"
    put_run(model, "p1", kind="replay", state="done", at=later, args={})
    assert "What differs" in browser.see("/acme/runs/m1")  # a replay keeps no readings
    other = {"chargebee/product": 1, "poweroffice/product": 1}
    put_run(model, "p1", kind="reconcile", state="done", at=later, args={}, parts=other)
    assert "What differs" in browser.see("/acme/runs/m1")
    put_run(model, "p1", kind="rebuild", state="done", at=later, args={}, parts=parts)
    text = browser.see("/acme/runs/m1")
    assert "A later run has read some of it again" in text and "What differs" not in text
    browser.see("/acme/runs/m1.csv", 404)
    assert "Orders were read last by" in browser.see("/acme/month")
    browser.see("/acme/month.html", 404)


def test_the_doctor_runs_for_an_operator_and_is_shown_to_all(model: ReadModel) -> None:
    held = Browser(settings_of(), model)
    for role, code in (("reader", 403), ("operator", 303)):
        held.login(role, role)
        assert "Nothing was checked" in held.see("/acme/doctor")
        assert ("Check now" in held.see("/acme/doctor")) == (code == 303)
        answer = held.post("/acme/doctor", data={"csrf": held.csrf()})
        assert answer.status_code == code
    held.login("reader", "reader")
    text = held.see("/acme/doctor")
    for words in ("2 of 9 &lt;script&gt;", "create them", "correct the one thing", "UTC, operator"):
        assert words in text
    assert held.post("/acme/doctor", data={}).status_code == 403
    assert held.sent == []


def test_the_sheet_for_sign_off_says_who_when_how_many_and_how_much(
    model: ReadModel,
) -> None:
    """It is a document: nothing is sent."""
    held = Browser(settings_of(), model)
    held.login("reader", "reader")
    data = {"number": "77", "currency": "NOK", "total": "1250.00", "customer_id": "kari"}
    order = msgspec.structs.replace(plan("77"), entity="order", fields=data)
    sold = link(
        "77",
        entity="order",
        state="held",
        plan=order,
        batch="creates-1",
        poweroffice=None,
        chargebee=Side(id="77", version="1", seen=data),
    )
    model.apply([Mirrored("links", "acme/order/77", encode(sold))], {}, {})
    text = held.see("/acme/held")
    assert "Records: 2 · NOK 1,250.00" in text and "/acme/held/sign-off.html" in text
    page = held.see("/acme/held/sign-off.html")
    assert "<td>reader</td>" in page and "<td>2</td><td>NOK 1250.00</td><td></td>" in page
    assert "77 of Kari Nordmann" not in page.split("<h2>")[1] and "signed by" in page
    assert "is a document" in page and "would be refused" in page.casefold()
    csv = held.see("/acme/held/sign-off.csv").splitlines()
    assert csv[0] == "batch,entity,what,in,records,sum,asked for by,at"
    assert csv[-1].startswith("all,,,,2,NOK 1250.00,reader,") and len(csv) == 4
    one = held.see("/acme/held/plan.csv?batch=none").splitlines()
    assert len(one) == 1
    every = held.see("/acme/held/plan.csv")
    assert ",total," in every and "kari@eksempel.no" in every
    assert held.sent == []


def test_a_held_batch_in_several_currencies_shows_every_sum(
    browser: Browser, model: ReadModel
) -> None:
    """The greatest number first, and by it is the list sorted."""
    for name, (currency, total) in {"78": ("EUR", "10.00"), "79": ("NOK", "1000000.00")}.items():
        data = {"number": name, "currency": currency, "total": total, "customer_id": "kari"}
        planned = msgspec.structs.replace(plan(name), entity="order", fields=data)
        facts = {"plan": planned, "chargebee": Side(id=name, version="1", seen=data)}
        sold = link(name, entity="order", state="held", batch="b", poweroffice=None, **facts)
        model.apply([Mirrored("links", f"acme/order/{name}", encode(sold))], {}, {})
    text = browser.see("/acme/needs?kind=held")
    assert 0 < text.index("NOK 1,000,000.00") < text.index("EUR 10.00")


def test_what_differs_in_case_alone_differs(browser: Browser, model: ReadModel) -> None:
    held = model.link("acme", "customer", "go-7")
    assert held is not None and held.poweroffice is not None
    seen = {**(held.poweroffice.seen or {}), "email": "KARI@eksempel.no"}
    other = msgspec.structs.replace(
        held, poweroffice=msgspec.structs.replace(held.poweroffice, seen=seen)
    )
    model.apply([Mirrored("links", "acme/customer/go-7", encode(other))], {}, {})
    ids = number(model, "dobbel"), number(model, "go-7")
    text = browser.see("/acme/records/{}?candidate={}".format(*ids))
    [row] = [each for each in text.split("<tr") if "KARI@eksempel.no" in each]
    assert row.startswith(' class="differs"')


def test_pages_of_many_stay_small(browser: Browser, model: ReadModel) -> None:
    """Lists are cut, and say how much more there is."""
    own = number(model, "kari")
    long = "x" * 300
    records = []
    for count in range(150):
        key = f"m{count}"
        waits = link(key, state="held", poweroffice=None, plan=plan(key), batch="creates-1")
        wrong = link(f"r{count}", state="rejected", poweroffice=None, reason=long)
        for each in (waits, wrong):
            records.append(Mirrored("links", f"acme/customer/{each.key}", encode(each)))
        entry = JournalEntry(
            tenant="acme",
            entity="customer",
            link="kari",
            entry=str(count),
            at=AT,
            rule="update",
            text=long[:150],
            cause="x",
        )
        value = msgspec.json.encode(entry)
        records.append(Mirrored("journal", f"acme/customer/kari/n{count}", value))
    model.apply(records, {}, {})
    parts = {"chargebee/order": 1, "poweroffice/order": 1}
    for count in range(120):
        theirs = ("125.00", "24.99") if count % 2 else None
        put_order(model, f"o{count}", ("125.00", "25.00"), theirs, currency="NOK")
        put_run(model, f"n{count}", kind="replay", state="done", args={"entity": "product"})
    later = "2026-11-29T07:00:00.000000Z"
    put_run(model, "m1", kind="reconcile", state="done", at=later, args={}, parts=parts)
    cut = ("needs", "held", "records?entity=customer", "month?month=2026-10", "runs/m1")
    whole = ("activity", "runs", f"records/{own}")
    for page in (*cut, *whole):
        text = browser.see(f"/acme/{page}")
        assert len(text.encode()) < 60_000, page
        assert page in whole or "more; " in text or "100+ found" in text, page


def test_many_letters_stay_a_small_page(browser: Browser, model: ReadModel) -> None:
    long = {"fields": {f"field {n}": '"' for n in range(200)}}
    command = msgspec.structs.replace(plan("nei"), **long)
    letter = DeadLetter(reason="x" * 90, at=AT, topic="tandem.orders", command=command)
    value = msgspec.json.encode(letter)
    model.apply([Mirrored("dead-letters", f"acme/many/{n}", value) for n in range(300)], {}, {})
    text = browser.see("/acme/letters")
    assert len(text.encode()) < 60_000 and "282 more" in text


def test_what_the_linker_refuses_or_has_not_taken_is_told(browser: Browser) -> None:
    browser.answer = {"result": "refused", "reason": "kari is not linked"}
    assert "kari is not linked" in browser.act("unlink", 409, entity="customer", key="kari")
    browser.answer = None
    assert "has not taken it yet" in browser.act("resume", 202)
    browser.answer = {"result": "done", "run": "r9", "signal": "r9"}
    assert browser.act("reconcile") == "/acme/runs/r9?done=1"


def test_what_does_not_fit_is_refused_and_not_sent(browser: Browser) -> None:
    assert "entity" in browser.act("settle", 400, entity="invoice", key="x")
    assert "sends no signal" in browser.act("advance", 400, queue="chargebee")
    assert browser.sent == []


def test_a_form_of_a_stranger_is_refused(browser: Browser) -> None:
    """Without the word that this page put into it, or where the browser says who sent it."""
    form = {"entity": "order", "csrf": "0" * 64}
    assert browser.post("/acme/act/pause", data=form).status_code == 403
    assert browser.post("/acme/act/pause", data={}).status_code == 403
    headers = {"sec-fetch-site": "cross-site"}
    own = {"csrf": browser.csrf()}
    answer = browser.post("/acme/act/pause", data=own, headers=headers)
    assert answer.status_code == 403
    assert browser.post("/acme/act/pause", content=b"x" * 70_000).status_code == 413
    assert browser.sent == []


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("reader", ()),
        ("operator", ("pause", "replay", "reconcile")),
        ("admin", ("pause", "replay", "reconcile", "mode")),
    ],
)
def test_each_role_may_do_its_own(model: ReadModel, role: str, may: tuple[str, ...]) -> None:
    held = Browser(settings_of(), model)
    held.login(role, role)
    forms: dict[str, dict[str, str]] = {
        "pause": {},
        "replay": {"from": "2h"},
        "reconcile": {},
        "mode": {"mode": "sync"},
    }
    for kind, form in forms.items():
        held.act(kind, 303 if kind in may else 403, **form)
    assert [kind for _, kind, _, by in held.sent if by == role] == list(may)


def test_no_redirect_leads_away(browser: Browser) -> None:
    for back in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        assert browser.act("resume", back=back) == "/?done=1"

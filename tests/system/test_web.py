"""The console's page in a real browser, on the running stack: every page, and what people do."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which
from typing import TypeVar

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from tests.system.rig import SERVICES, Rig, free_port, link_when, tandem
from tests.waiting import PATIENCE_S, wait_for

CHROMIUM = os.environ.get("TANDEM_CHROMIUM") or which("chromium") or ""
TOKEN = "a-token-of-the-tests"
PAGES = (
    "",
    "needs",
    "records?state=linked",
    "held",
    "runs",
    "month",
    "activity",
    "letters",
    "settings",
)
pytestmark = pytest.mark.skipif(
    not CHROMIUM, reason="no chromium here: sh scripts/debian_programs.sh installs Debian's"
)


_T = TypeVar("_T")


def aside(read: Callable[[], _T]) -> _T:
    """In a thread of its own: Playwright has an event loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(read).result()


@pytest.fixture
def page() -> Iterator[Page]:
    """A tab of Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(locale="en-GB")
        context.set_default_timeout(PATIENCE_S * 1000)
        expect.set_options(timeout=PATIENCE_S * 1000)
        yield context.new_page()
        browser.close()


@pytest.fixture
def served(rig: Rig) -> Rig:
    """All four run; a conflict over a phone is a person's."""
    rig.ports["console"] = free_port()
    rig.variables |= {
        "TANDEM_PORTS__CONSOLE": str(rig.ports["console"]),
        "TANDEM_CONSOLE__TOKEN": TOKEN,
        "TANDEM_TENANTS__DEMO__OWNER": '{"customer": "ask"}',
    }
    rig.start(*SERVICES, "console")
    return rig


def login(page: Page, rig: Rig) -> None:
    page.goto(rig.url("console") + "/")
    page.get_by_label("Password or token").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("demo")


def serious(page: Page) -> list[str]:
    """What axe finds of WCAG 2.2 AA that is serious or critical, each with the place."""
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{each['id']}: {[node['html'][:150] for node in each['nodes']]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def test_every_page_loads_without_an_error_and_axe_finds_nothing_serious(
    served: Rig, page: Page, tmp_path: Path
) -> None:
    """Light and dark, on a desk and on a phone; with pictures among the test's files."""
    served.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    number = wait_for_number(served, page)
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    for scheme, width in (("light", 1200), ("dark", 360)):
        page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        page.set_viewport_size({"width": width, "height": 900})
        for path in (*PAGES, f"records/{number}"):
            page.goto(f"{served.url('console')}/demo/{path}")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            assert serious(page) == [], (path, scheme)
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, f"{path} is {over} px wider than a screen of {width}"
            name = re.sub(r"\W+", "-", path) or "overview"
            page.screenshot(path=tmp_path / f"{name}-{scheme}.png", full_page=True)
    assert said == []


def wait_for_number(rig: Rig, page: Page) -> str:
    """The number of kari's page, once she is linked."""
    aside(lambda: link_when(rig, "kari", "linked"))
    login(page, rig)

    def found() -> str | None:
        page.goto(f"{rig.url('console')}/demo/records?state=linked")
        link = page.get_by_role("link", name="Kari Nordmann")
        if link.count() == 0:
            return None
        return (link.first.get_attribute("href") or "").rpartition("/")[2]

    return wait_for("the page lists her", found)


def test_a_person_pauses_searches_and_keeps_one_side(served: Rig, page: Page) -> None:
    """With a keyboard's names for things; the journal has the person's name."""
    served.add_customer(id="kari", first_name="Kari", last_name="Nordmann", phone="+47 1")
    number = wait_for_number(served, page)
    address = served.url("console")

    page.goto(f"{address}/demo/")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.get_by_text("customer to chargebee is paused")).to_be_visible()

    link = aside(served.links)["kari"]
    assert link.poweroffice is not None
    served.amend("chargebee", "customer", "kari", phone="+47 2")
    served.amend("poweroffice", "customer", link.poweroffice.id, PhoneNumber="+47 3")
    page.goto(f"{address}/demo/")
    page.get_by_role("button", name="Resume").click()

    def asks() -> bool:
        page.goto(f"{address}/demo/needs")
        return page.get_by_text("phone: changed on both sides").count() == 1

    wait_for("the page asks", asks)
    page.get_by_role("link", name="Decide").click()
    expect(page).to_have_url(f"{address}/demo/records/{number}")
    page.get_by_role("button", name="Keep Go").click()
    expect(page.get_by_role("status")).to_be_visible()

    def phone() -> str:
        answer = served.chargebee.get("/customers/kari").json()
        return str(answer["customer"]["phone"])

    wait_for("Chargebee has it", phone, lambda held: held == "+47 3")

    page.get_by_role("link", name="Records", exact=True).click()
    page.get_by_label("Name, number, e-mail or id").fill("nordmann")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="customer Kari Nordmann")).to_be_visible()
    assert "nordmann" not in page.url.lower()
    said = tandem(served, "explain", "chargebee", "customer", "kari", "phone")
    assert "an operator keeps phone of poweroffice" in said
    entries = [
        each for each in aside(lambda: served.records("journal")) if each["rule"] == "settle"
    ]
    assert [each["text"].split()[0] for each in entries] == ["token"]


def test_what_happens_is_shown_without_a_reload_and_in_norwegian(served: Rig, page: Page) -> None:
    login(page, served)
    page.goto(f"{served.url('console')}/demo/activity")
    page.get_by_role("button", name="Norsk").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Aktivitet")
    page.evaluate("document.activeElement.blur()")
    served.add_customer(id="ole", first_name="Ole", last_name="Hansen")
    aside(lambda: link_when(served, "ole", "linked"))
    expect(page.get_by_text("ole").first).to_be_visible()


def test_a_password_is_hashed_for_the_settings(served: Rig, page: Page) -> None:
    """As `tandem password` prints it, a person logs in with it."""
    command = [sys.executable, "-m", "services.console.cli", "password"]
    given = "a long password\n" * 2
    done = subprocess.run(
        command, input=given, env=served.environment(), capture_output=True, text=True, check=True
    )
    hashed = done.stdout.strip().splitlines()[-1]
    assert hashed.startswith("$argon2id$")
    with (served.directory / "tandem.toml").open("a") as file:
        file.write(f'[console.users.kari]\npassword_hash = "{hashed}"\n')
    served.stop("console")
    served.start("console")
    page.goto(served.url("console") + "/login")
    page.get_by_label("Name (blank with the token)").fill("kari")
    page.get_by_label("Password or token").fill("a long password")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out kari")).to_be_visible()
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)


def test_a_filter_is_saved_and_a_dead_letter_tried_again(served: Rig, page: Page) -> None:
    """A part of a number finds the record; a message that nobody could read comes back as a letter
    of its own."""
    served.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    number = wait_for_number(served, page)
    address = served.url("console")

    page.get_by_label("Name, number, e-mail or id").fill("ORDMAN")
    page.get_by_label("State").select_option("linked")
    page.get_by_role("button", name="Search").click()
    link = page.get_by_role("link", name="customer Kari Nordmann")
    expect(link).to_have_attribute("href", f"/demo/records/{number}")
    page.get_by_label("Name of the filter").fill("all that is linked")
    page.get_by_role("button", name="Save this filter").click()
    served.stop("console")
    served.start("console")
    page.goto(f"{address}/demo/records")
    page.get_by_role("link", name="all that is linked").click()
    expect(page).to_have_url(f"{address}/demo/records?state=linked")
    expect(link).to_be_visible()
    assert serious(page) == []
    page.get_by_role("button", name="Delete the filter all that is linked").click()
    expect(page.get_by_role("link", name="all that is linked")).to_have_count(0)

    aside(lambda: served.send("customers", b"demo/chargebee/x", b"{"))
    letter = page.locator("input[name=letter]")

    def told() -> str | None:
        page.goto(f"{address}/demo/needs?kind=letter")
        return letter.get_attribute("value") if letter.count() == 1 else None

    first = wait_for("the page asks", told)
    assert serious(page) == []
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status")).to_be_visible()
    wait_for("it came back", told, lambda held: held not in (None, first))


def test_an_operator_replays_a_range_and_compares_both_systems(served: Rig, page: Page) -> None:
    """A dry run says what would be written, the replay writes it, a reconcile finds nothing
    else."""
    served.add_customer(id="kari", first_name="Kari", last_name="Nordmann", phone="+47 1")
    wait_for_number(served, page)
    address = served.url("console")

    page.goto(f"{address}/demo/runs")
    page.get_by_label("From: a time").fill("1h")
    page.get_by_label("Entity").last.select_option("customer")
    page.get_by_role("button", name="Dry run").click()
    expect(page).to_have_url(re.compile(r"/demo/runs/\w+\?done=1$"))
    run = page.url.partition("?")[0]

    def ended() -> bool:
        page.goto(run)
        return page.get_by_text("Replay it for real").count() > 0

    wait_for("the dry run is done", ended)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Dry run: replay")
    assert serious(page) == []
    page.get_by_text("Replay it for real").first.click()
    page.get_by_role("button", name="Yes: Replay it for real").click()
    expect(page).not_to_have_url(re.compile(run))
    expect(page.get_by_role("heading", level=1)).to_contain_text("replay")
    second = page.url.partition("?")[0]

    def is_over() -> bool:
        page.goto(second)
        return page.get_by_role("button", name="Cancel").count() == 0

    wait_for("the replay is done", is_over)
    page.goto(f"{address}/demo/runs")
    page.get_by_role("button", name="Compare both systems").click()
    expect(page).to_have_url(re.compile(r"/demo/runs/\w+\?done=1$"))
    second = page.url.partition("?")[0]
    wait_for("the reconcile is done", is_over)
    expect(page.get_by_text("different 0, missing 0, extra 0")).to_be_visible()
    assert serious(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.path().read_text().startswith("kind,entity,link")
    page.goto(f"{address}/demo/runs")
    expect(page.get_by_role("link", name="What the last comparison found")).to_be_visible()
    runs = {
        each["value"]["kind"]: each
        for each in aside(lambda: served.records("control"))
        if each["kind"] == "run"
    }
    assert set(runs) == {"replay", "reconcile"}


def test_a_month_is_added_up_the_doctor_asked_and_a_sheet_signed(served: Rig, page: Page) -> None:
    """One sale on both sides, read by a reconcile that the page begins; then what a pause keeps
    waiting, on a sheet that names the person."""
    served.add_item("stol", 10000, is_shippable="true")
    served.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    wait_for_number(served, page)
    aside(lambda: link_when(served, "stol", "linked", "product"))
    order = served.add_order("kari", {"stol-NOK": 2})
    link = aside(lambda: link_when(served, order["id"], "linked", "order"))
    assert link.chargebee is not None and link.chargebee.seen is not None
    month = str(link.chargebee.seen["order_date"])[:7]
    address = f"{served.url('console')}/demo/month?month={month}"

    page.goto(address)
    expect(page.get_by_text("Orders of both systems have not been read")).to_be_visible()
    page.get_by_role("button", name="Read all orders of both systems").click()
    expect(page).to_have_url(re.compile(r"/demo/runs/\w+\?done=1$"))

    def read() -> bool:
        page.goto(address)
        return page.get_by_text("Both sides add up to the same.").count() == 1

    wait_for("the month is added up", read)
    expect(page.get_by_role("row", name="NOK Go 1")).to_be_visible()
    assert serious(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="HTML").click()
    assert "Orders on one side" in download.value.path().read_text()

    page.get_by_role("link", name="Doctor").click()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("row", name="Kafka ok answers")).to_be_visible()
    expect(page.get_by_role("row", name="Chargebee note not checked")).to_be_visible()
    expect(page.get_by_role("row", name="linker ok runs and is ready")).to_be_visible()
    assert serious(page) == []
    assert "sync-key" not in page.content()

    page.goto(f"{served.url('console')}/demo/")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_be_visible()
    served.act("/customers/kari", "customer", phone="+47 2")

    def waits() -> bool:
        page.goto(f"{served.url('console')}/demo/held")
        return page.get_by_text("Sheet for sign-off").count() == 1

    wait_for("the plan is shown", waits)
    assert serious(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="HTML").click()
    sheet = download.value.path().read_text()
    assert "<td>token</td>" in sheet and "Kari Nordmann" in sheet and "signed by" in sheet

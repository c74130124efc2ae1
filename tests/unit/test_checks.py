"""The pure parts of the checks before the start: words, secrets, clocks, privileges, product
groups, what is next."""

import asyncio
import io
import re
import sys
import time
from email.utils import formatdate
from typing import Any

import httpx
import msgspec
import pytest
from rich.console import Console

from contracts.checks import Checked, finding, not_checked, note, ok
from contracts.said import english, say
from contracts.settings import KafkaSettings, Settings
from contracts.topics import TOPICS
from runtime.checks import Seen, Steps, clock, discreet, secrets_of, service_url
from runtime.clock import span
from runtime.kafka import Amiss, Kafka, TopicsFound
from runtime.vendor import Retriable
from services.chargebee_adapter.check.webhooks import Receiver, _undelivered
from services.console.doctor import (
    Held,
    _end,
    _results,
    _vendors,
    decisions,
    next_steps,
    pinned,
    topic_results,
    without_keys,
)
from services.console.doctor_view import _row, heading, line, show
from services.poweroffice_adapter.check import groups, privileges
from tests.waiting import PATIENCE_S

ROLES = {
    "Customer",
    "Customer_Full",
    "Product",
    "Product_Full",
    "SalesOrders",
    "SalesOrders_Full",
    "OutgoingInvoice",
}
DECIDED: dict[str, Any] = {
    "mode": "sync",
    "invoicing": {"by": "chargebee"},
    "start": {"orders": "2026-01-01"},
    "create": {"order": {"to_chargebee": "off"}},
}


def settings(tenant: dict[str, Any] | None = None, **top: Any) -> Settings:
    """One tenant named acme; `prices` is decided with the rest."""
    chargebee = {
        "site": "acme-test",
        "api_key": "canary-chargebee-key",
        "webhook_username": "chargebee",
        "webhook_password": "canary-hook-password",
    }
    if tenant:
        chargebee["prices"] = "net"
    keys = {
        f"{each}_key": f"canary-{each}-key" for each in ("application", "client", "subscription")
    }
    return Settings.model_validate(
        {
            "tenants": {
                "acme": {
                    "chargebee": chargebee,
                    "poweroffice": {"environment": "demo", **keys},
                    **(tenant or {}),
                }
            },
            **top,
        }
    )


def told(results: list[Checked]) -> list[tuple[str, str]]:
    return [(each.state, each.words) for each in results]


# -- what every check shares


def test_a_result_is_one_short_json_line() -> None:
    """What has nothing to say is left out; the other end reads the same."""
    result = ok("Kafka", "answers")
    assert msgspec.json.encode(result) == b'{"check":"Kafka","state":"ok","words":"answers"}'
    assert msgspec.json.decode(
        msgspec.json.encode(finding("a", "b", "c")), type=Checked
    ) == finding("a", "b", "c")
    assert not_checked("a", "b").words == "not checked: b"


def test_no_secret_survives_in_words_or_fix() -> None:
    """Also one that a vendor repeats, and one that holds another; a user name is a word and
    stays."""
    held = settings(
        kafka={
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "sasl_username": "u",
            "sasl_password": "canary-kafka-password",
        }
    )
    secrets = secrets_of(held)
    assert set(secrets) == {
        "canary-chargebee-key",
        "canary-hook-password",
        "canary-application-key",
        "canary-client-key",
        "canary-subscription-key",
        "canary-kafka-password",
    }
    said = finding("key", "Invalid API key: canary-chargebee-key", "not canary-client-key either")
    assert discreet(said, secrets) == finding("key", "Invalid API key: ***", "not *** either")
    assert discreet(ok("a", "long-secret-1"), ["long-secret-1", "long-secret"]).words == "***"


def test_a_vendors_words_cannot_steer_the_terminal() -> None:
    """One line without control characters, and not for ever."""
    assert (
        discreet(ok("a", "red \x1b[31m\n  two"), []).words
        == "red \N{REPLACEMENT CHARACTER}[31m two"
    )
    assert len(discreet(ok("a", "x" * 10_000), []).words) == 501


@pytest.mark.parametrize(
    ("skew_s", "state", "words"),
    [
        (29.0, "ok", "agrees with Go's within 30 s"),
        (-29.0, "ok", "agrees with Go's within 30 s"),
        (31.0, "finding", "the clock of this machine is 31 s behind Go's"),
        (-95.4, "finding", "the clock of this machine is 95 s ahead of Go's"),
        (600.0, "finding", "the clock of this machine is 10 min behind Go's"),
        (-7200.0, "finding", "the clock of this machine is 2.0 h ahead of Go's"),
        (None, "note", "Go says no time in its answers"),
    ],
)
def test_a_clock_is_wrong_from_half_a_minute_on(
    skew_s: float | None, state: str, words: str
) -> None:
    """The size is named, and which clock goes first."""
    result = clock("clock", Seen(skew_s), "Go")
    assert (result.state, result.words) == (state, words)
    assert span(119) == "119 s"


def test_the_vendors_time_is_read_from_the_date_of_its_answers() -> None:
    """A missing or broken header says nothing, and does not undo what was known."""
    seen = Seen()
    for date in ("", "tomorrow", formatdate(time.time() + 600, usegmt=True), "yesterday"):
        seen.look(httpx.Response(404, headers={"Date": date}))
    assert seen.skew_s == pytest.approx(600, abs=300)
    assert seen.status == 404


def test_a_slow_machine_gives_each_check_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the factor of the settings; the words say how long was waited in the end."""
    monkeypatch.setattr("runtime.checks.STEP_S", 0.01)
    steps = Steps(Seen(), lambda check, error: finding(check, "", ""), patience=150)

    async def hang() -> list[Checked]:
        await asyncio.Event().wait()
        return []

    assert told(asyncio.run(steps.take("a", hang))) == [("finding", "no answer within 2 s")]


def test_a_check_that_hangs_or_meets_an_outage_still_ends_in_a_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In words; a spent rate is told apart, and what has no time left is not tried."""
    monkeypatch.setattr("runtime.checks.STEP_S", 0.05)
    seen = Seen()
    steps = Steps(seen, lambda check, error: finding(check, f"explained: {error}", "fix"))

    async def hang() -> list[Checked]:
        await asyncio.Event().wait()
        return []

    async def fail() -> list[Checked]:
        raise Retriable("GET x: 503")

    assert told(asyncio.run(steps.take("a", hang))) == [("finding", "no answer within 1 s")]
    seen.status = 429
    assert told(asyncio.run(steps.take("a", hang))) == [
        ("finding", "the rate limit is spent (429)")
    ]
    assert told(asyncio.run(steps.take("a", fail))) == [("finding", "explained: GET x: 503")]
    steps._until = 0.0
    assert told(asyncio.run(steps.take("a", fail))) == [
        ("note", "not checked: the checks before it took 20 s")
    ]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8081"),
        ("0.0.0.0", "http://127.0.0.1:8081"),
        ("::", "http://[::1]:8081"),
    ],
)
def test_a_service_that_listens_everywhere_is_asked_on_this_machine(host: str, url: str) -> None:
    """An address to listen on is not always one to call."""
    assert service_url(settings(host=host), "chargebee_adapter") == url


def test_a_service_on_another_host_is_asked_there() -> None:
    """In containers each has a host of its own."""
    held = settings(host="0.0.0.0", reach={"linker": "linker"})
    assert service_url(held, "linker") == "http://linker:8083"
    assert service_url(held, "chargebee_adapter") == "http://127.0.0.1:8081"


# -- Go


def test_all_privileges_or_the_writing_ones_are_enough() -> None:
    """`X_Full` covers reading X."""
    tenant = settings(DECIDED).tenants["acme"]
    assert told(privileges(tenant, ROLES, ())) == [("ok", "all 7 are granted")]
    assert privileges(tenant, ROLES - {"Customer"}, ())[0].state == "ok"


def test_each_missing_privilege_is_named_with_its_purpose() -> None:
    """Those for orders only are findings where orders are read, notes where not; the others always
    findings."""
    missing = {"Customer_Full", "SalesOrders", "SalesOrders_Full", "OutgoingInvoice"}
    reading = privileges(settings(DECIDED).tenants["acme"], ROLES - missing, {"OutgoingInvoice"})
    assert told(reading) == [
        ("finding", "Customer_Full is missing: required, to create and change customers"),
        ("finding", "SalesOrders is missing: needed for orders only, to read sales orders"),
        (
            "finding",
            "SalesOrders_Full is missing: needed for orders only, to create and change "
            "sales orders",
        ),
        (
            "finding",
            "OutgoingInvoice is missing, and Go lists it as invalid: needed for orders only, to "
            "see what was "
            "sent; without it no order is created on either side",
        ),
    ]
    without = privileges(settings().tenants["acme"], ROLES - missing, ())
    assert [each.state for each in without] == ["finding", "note", "note", "note"]
    assert "start.orders is not set, so orders are not read" in without[1].words
    assert "grant it to the integration in Go (Settings, Extensions)" in str(reading[0].fix)


def test_product_groups_are_held_against_those_of_go() -> None:
    """Missing, archived, without a sales account, without an optional one; letter case of names
    does not matter."""
    rows: list[dict[str, Any]] = [
        {"Code": "whole", "StandardSalesAccount": 3000, "OptionalSalesAccountId": 7},
        {
            "Code": "old",
            "StandardSalesAccountId": 1,
            "OptionalSalesAccountId": 7,
            "IsArchived": True,
        },
        {"Code": "bare"},
        {"code": "half", "standardSalesAccountId": 1, "optionalSalesAccountId": None},
    ]
    families = {"a": "whole", "b": "old", "c": "bare", "d": "half", "e": "gone", "f": "gone"}
    tenant = settings({"product": {"groups": families}}).tenants["acme"]
    found = groups("acme", tenant, rows)
    assert told(found) == [
        (
            "finding",
            "the product group 'bare' has no sales account, so its products cannot be sold "
            "with VAT",
        ),
        ("finding", "Go has no product group 'gone', which product.groups names for 'e', 'f'"),
        (
            "note",
            "the product group 'half' has no optional sales account, which sales without VAT take",
        ),
        ("note", "the product group 'old' is archived"),
    ]
    assert "correct tenants.acme.product.groups (Go has: bare, half, old, whole)" in str(
        found[1].fix
    )


def test_right_product_groups_are_right_and_none_at_all_is_told() -> None:
    """Without a group nothing can be created in Go, which matters only where it should be."""
    row = {"Code": "whole", "StandardSalesAccount": 3000, "OptionalSalesAccountId": 7}
    right = settings({"product": {"groups": {"a": "whole", "b": "whole"}}}).tenants["acme"]
    assert told(groups("acme", right, [row])) == [
        ("ok", "the 1 of the settings are there, with sales accounts")
    ]
    assert told(groups("acme", settings().tenants["acme"], [row])) == [
        ("note", "product.groups is empty, so no product can be created in Go")
    ]
    off = settings({"create": {"product": {"to_poweroffice": "off"}}}).tenants["acme"]
    assert told(groups("acme", off, [row])) == [("ok", "none is needed")]


# -- webhooks


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (
            {"401": 4, "200": 9},
            "and the adapter refused 4: Chargebee sends another user name or password",
        ),
        ({"check 401": 9, "503": 2, "400": 1}, "the adapter answered 1 x 400, 2 x 503"),
        (
            {"check 401": 9, "200": 1},
            "and the adapter saw none of them: the address is not reachable",
        ),
    ],
)
def test_why_a_webhook_was_not_delivered_is_told_by_what_the_adapter_saw(
    counts: dict[str, int], words: str
) -> None:
    """Requests of the checks themselves do not count."""
    result = _undelivered("acme", 3, 20, Receiver(counts))
    assert result.state == "finding"
    assert result.words.startswith(
        "3 of the newest 20 webhooks since the adapter started were not delivered"
    )
    assert words in result.words


# -- the console


def test_the_lines_of_the_topic_check_become_results() -> None:
    """Missing ones as one with the command, each other difference by itself."""
    absent = ["customers", "links", "control", "journal"]
    counts = {"value": 3, "wanted": 12}
    differs = Amiss(
        say("topic_partitions", topic="tandem.signals", **counts), say("topic_partitions_set")
    )
    kafka = Kafka(KafkaSettings())
    missing, other = topic_results(TopicsFound(absent, [], [differs]), kafka)
    assert (
        missing.words
        == f"4 of {len(TOPICS)} do not exist (tandem.customers, tandem.links, tandem.control, …)"
    )
    assert str(missing.fix).startswith("tandem topics create")
    assert (other.words, other.fix) == (
        "topic tandem.signals has 3 partitions, kafka.partitions says 12",
        "set kafka.partitions to what exists (it is fixed at creation)",
    )
    assert told(topic_results(TopicsFound([], [], []), kafka)) == [
        ("ok", f"all {len(TOPICS)} exist as they should")
    ]


def test_an_undecided_setting_is_in_the_way_of_sync_only() -> None:
    """Each is named with its meaning; a tenant that observes may leave them open."""
    assert told(decisions("acme", settings(DECIDED).tenants["acme"])) == [
        ("ok", "the 4 settings without a default are made")
    ]
    observing = decisions("acme", settings().tenants["acme"])
    assert [each.state for each in observing] == ["note"] * 4
    assert [each.fix for each in observing] == [
        "set tenants.acme.invoicing.by",
        "set tenants.acme.start.orders",
        "set tenants.acme.create.order.to_chargebee",
        "set tenants.acme.chargebee.prices",
    ]
    assert observing[3].words == (
        "chargebee.prices is not set, so acme only observes. Whether the site's prices exclude or "
        "include tax."
    )
    wanting = decisions("acme", settings({**DECIDED, "invoicing": {}}).tenants["acme"])
    assert [(each.state, each.fix) for each in wanting] == [
        ("finding", "set tenants.acme.invoicing.by")
    ]


@pytest.mark.parametrize(
    ("pin", "account", "state", "words"),
    [
        (None, "7", "ok", "none yet; the first start pins the one behind the keys"),
        ("7", "7", "ok", "7, the one behind the keys"),
        ("7", None, "note", "not checked: the keys open nothing; 7 is pinned"),
        (
            "7",
            "8",
            "finding",
            "acme was connected to 7, and these keys belong to 8: nothing is read or written",
        ),
    ],
)
def test_the_account_behind_the_keys_is_held_against_the_pinned_one(
    pin: str | None, account: str | None, state: str, words: str
) -> None:
    """Another one stops the tenant at the start, so it is found before."""
    held = Held(pins={} if pin is None else {("acme", "poweroffice"): pin})
    result = pinned("poweroffice", account, "acme", held)
    assert (result.check, result.state, result.words) == ("pinned Go company", state, words)


def test_without_kafka_no_pinned_account_is_known() -> None:
    """Which is no error of its own."""
    result = pinned("chargebee", "acme-test", "acme", Held(why="Kafka cannot be used"))
    assert result == not_checked("pinned Chargebee site", "Kafka cannot be used")


def steps(*given: Any) -> list[str]:
    return list(map(english, next_steps(*given)))


def test_the_next_step_follows_from_what_was_found() -> None:
    """Correct, start, decide, read the plans, or nothing: in that order, and by the mode an
    operator set."""
    open_, decided = settings(), settings({**DECIDED, "mode": "observe"})
    stopped = note("linker", "does not run", say("start_it", command="python -m services.linker"))
    wrong = finding("a", "b", "c")
    assert steps([wrong, stopped], open_, ["acme"], {}) == [
        "correct the one thing marked above, then run tandem doctor again"
    ]
    assert "the 2 things" in steps([wrong, wrong], open_, ["acme"], {})[0]
    assert steps([stopped], open_, ["acme"], {}) == [
        "start the services, then run tandem doctor again:",
        "  python -m services.linker",
    ]
    assert steps([], open_, ["acme"], {})[0].endswith(
        "then decide invoicing.by, start.orders, create.order.to_chargebee, chargebee.prices"
    )
    assert steps([], decided, ["acme"], {}) == [
        "acme observes: read its plans with tandem plan, then tandem mode sync"
    ]
    two = decided.model_copy(
        update={"tenants": {**decided.tenants, "other": decided.tenants["acme"]}}
    )
    assert steps([], two, ["acme"], {}) == [
        "acme observes: read its plans with tandem plan --tenant acme, then tandem mode sync "
        "--tenant acme"
    ]
    in_sync = ["acme is in sync: tandem status shows how it stands"]
    assert steps([], decided, ["acme"], {"acme": "sync"}) == in_sync
    assert steps([], settings(DECIDED), ["acme"], {}) == in_sync


def test_a_result_stands_under_its_heading_with_its_fix_below() -> None:
    """Plain text for files and pipes: one line for what was seen, one for the fix."""
    of_tenant = msgspec.structs.replace(note("Go clock", "late", "set it"), tenant="acme")
    assert heading(of_tenant) == "Tenant acme"
    assert (heading(ok("Kafka", "x")), heading(ok("linker", "x"))) == ("Installation", "Services")
    assert line(of_tenant) == "note     Go clock: late\n         fix: set it"
    assert line(ok("Kafka", "answers")) == "ok       Kafka: answers"


def test_on_a_terminal_each_state_has_a_mark_and_the_fix_its_own_line() -> None:
    """A tick, an i and a cross; what looks like markup is text."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, no_color=True, width=80)
    for result in (
        ok("Kafka", "answers at [red]x"),
        note("linker", "does not run"),
        finding("Go keys", "no", "yes"),
    ):
        show(console, _row(result), "plain")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", each).rstrip() for each in out.getvalue().splitlines()]
    assert lines == [
        "✓ Kafka                    answers at [red]x",
        "i linker                   does not run",
        "✗ Go keys                  no",
        "                           yes",
    ]


@pytest.mark.parametrize(
    ("program", "left_s", "words"),
    [
        ("print('hello')", PATIENCE_S, "the check printed something else than results"),
        ("import sys; sys.exit(7)", PATIENCE_S, "the check ended with code 7"),
        ("import sys; sys.stdin.read()", 1, "the check did not end in time"),
    ],
)
def test_a_check_command_that_fails_is_a_finding(program: str, left_s: float, words: str) -> None:
    """With the command that shows more; it is not left running."""

    async def run() -> list[Checked]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            return [
                each
                async for each in _results(
                    "poweroffice", "acme", process, time.monotonic() + left_s
                )
            ]
        finally:
            await _end(process)
            assert process.returncode is not None

    assert asyncio.run(run()) == [
        finding("PowerOffice Go", words, "see python -m services.poweroffice_adapter check acme")
    ]


def test_tenants_that_no_time_is_left_for_are_named() -> None:
    """One doctor for many tenants ends within its minute too."""

    async def run() -> list[Checked]:
        return [each async for _, each in _vendors("acme", time.monotonic())]

    why = say("no_time_left", tenant="acme")
    assert asyncio.run(run()) == [not_checked("Chargebee", why), not_checked("PowerOffice Go", why)]


def test_without_keys_the_vendors_are_not_checked_and_it_says_who_can() -> None:
    """What is pinned is told; whether the keys belong to it is not known here."""
    held = Held(pins={("acme", "chargebee"): "acme-test"})
    found = list(without_keys("acme", held))
    assert [(each.check, each.state) for each in found] == [
        ("Chargebee", "note"),
        ("PowerOffice Go", "note"),
        ("pinned Chargebee site", "note"),
        ("pinned Go company", "ok"),
    ]
    assert found[0].fix == "run tandem doctor --tenant acme where the keys are"
    assert found[2].words.startswith("acme-test; ")
    away = list(without_keys("acme", Held(why="Kafka cannot be used")))
    assert told(away)[2:] == [("note", "not checked: Kafka cannot be used")] * 2


def test_no_secret_survives_in_a_sentence() -> None:
    inner = say("kafka_unusable_at", place="kafka", why="not long-secret")
    told = discreet(not_checked("a", inner), ["long-secret"])
    assert told.words == "not checked: cannot be used at kafka: not ***"
    assert english(*told.said) == told.words

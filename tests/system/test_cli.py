"""Every command that only looks, and those that put things right, as a person types them; their
output word by word."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from contracts.links import encode
from contracts.messages import JournalEntry, Link, Side
from contracts.topics import TOPICS
from tests.system.rig import Rig, interruptible, link_when, tandem
from tests.waiting import PATIENCE_S, wait_for

REFUSED = "Internal Server Error: An unexpected error occurred."
HANSEN = {
    "IsPerson": True,
    "FirstName": "Ola",
    "LastName": "Hansen",
    "InvoiceDeliveryType": "Print",
}


def same(text: str) -> str:
    """Output without what differs from run to run: times, versions, ids of signals and runs, blanks
    at line ends; nor the line of our source that an error names."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z(#\d+)?", "TIME", text)
    text = re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "CLOCK", text)
    text = re.sub(r"\b\d{13}(\.\d+)?\b", "VERSION", text)
    text = re.sub(r"\b[0-9a-f]{12}\b", "ID", text)
    text = re.sub(r"\b\d+ (s|min) ago", "AGO", text)
    text = re.sub(r"[\w.-]+@[\w.-]+ asked", "SOMEBODY asked", text)
    text = re.sub(r"(truncated at _decode):\d+", r"\1:LINE", text)
    return "\n".join(
        " ".join(line.split()) if "  " in line.strip() else line.rstrip()
        for line in text.splitlines()
    )


def world(rig: Rig) -> dict[str, str]:
    """One linked customer, two that share a mailbox, one whose edit Go refuses, and a message
    nobody can read."""
    person = rig.add_go_customer(**HANSEN, EmailAddress="post@eksempel.no")
    rig.add_customer(id="per", first_name="Per", last_name="Post", email="post@eksempel.no")
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann", email="kari@eksempel.no")
    rig.start()
    link_when(rig, "kari", "linked")
    link_when(rig, "per", "ambiguous")
    go_id = rig.links()["kari"].poweroffice.id  # type: ignore[union-attr]
    rig.fault("poweroffice", kind="error", match="PATCH /Customers/{id}", status=400, count=2)
    rig.chargebee.post("/customers/kari", data={"phone": "+47 1"}).raise_for_status()
    link_when(rig, "kari", "rejected")
    rig.send("customers", b"demo/chargebee/x", b'{"type":"observed"')
    wait_for("the message is dead", lambda: len(rig.records("dead-letters")) == 2)
    rig.quiet()
    return {"kari": go_id, "ola": str(person["Id"])}


def test_what_the_reading_commands_print(rig: Rig) -> None:
    """Word by word, but for times and numbers that differ from run to run."""
    ids = world(rig)
    shown = same(tandem(rig, "status")).splitlines()
    rows = ("Tenant", "in ", "linked", "ambiguous", "rejected", "dead")
    assert [line for line in shown if line.startswith(rows)] == [
        "Tenant demo customer product order",
        "in Chargebee 2 0 0",
        "in Go 2 0 0",
        "linked 0 0 0",
        "ambiguous 2 0 0",
        "rejected 1 0 0",
        "dead letters 2 0 0",
    ]
    assert any(line.startswith("Mode sync") for line in shown)
    assert "Rejected (1)" in shown
    assert f"  customer Kari Nordmann (kari): poweroffice refused: {REFUSED}" in shown
    apart = "the e-mail is equal, but name, kind or organisation number differ"
    ola = "go-" + ids["ola"]
    for name, key, twin in (("Ola Hansen", ola, "per"), ("Per Post", "per", ola)):
        at = shown.index(f"  customer {name} ({key}): {apart} (candidates: {twin})")
        assert [line.split()[0] for line in shown[at + 2 : at + 4]] == [">", twin]
        assert shown[at + 4].strip() == f"tandem links pick customer {key} {twin}"
    assert (
        shown[-1] == "Messages not taken yet: linker 0, chargebee_adapter 0, poweroffice_adapter 0"
    )
    assert tandem(rig, "links", "find", "KARI") == (
        f"customer kari: rejected  Chargebee kari  Go {ids['kari']}  Kari Nordmann  (poweroffice "
        f"refused: {REFUSED})\n"
        "1 found\n"
    )
    assert same(tandem(rig, "links", "show", "customer", "kari")).splitlines()[:7] == [
        f"customer Kari Nordmann (kari): rejected, poweroffice refused: {REFUSED}",
        f"field chargebee kari poweroffice {ids['kari']}",
        "kind person person",
        "first_name Kari Kari",
        "last_name Nordmann Nordmann",
        "company - -",
        "email kari@eksempel.no kari@eksempel.no",
    ]
    letters = same(tandem(rig, "letters")).splitlines()
    assert letters == [
        "demo/customer/kari/2",
        f"TIME update in poweroffice: rejected: {REFUSED}",
        f"{rig.prefix}customers/0/{letters[2].rsplit('/', 1)[-1]}",
        f"TIME message of {rig.prefix}customers: DecodeError: Input data was truncated at "
        f"_decode:LINE",
        "2 dead letters",
    ]
    assert same(tandem(rig, "explain", "chargebee", "customer", "kari", "phone")).splitlines()[
        -4:
    ] == [
        "TIME update: update in poweroffice: phone",
        '    value: {"phone":"+47 1"}',
        '    instead of: {"phone":null}',
        "    because of demo/chargebee/customer/kari/VERSION",
    ]


def test_redrive_by_letter_by_words_and_all(rig: Rig) -> None:
    """What was refused is planned again from the present state; a message is read once more, and
    dies again."""
    world(rig)
    assert "there is no dead letter 'x'" in tandem(rig, "redrive", "--letter", "x", code=2)
    assert "--key needs --entity" in tandem(rig, "redrive", "--key", "kari", code=2)
    assert (
        tandem(rig, "redrive", "--reason", "no such words")
        == "0 planned again, 0 messages sent again\n"
    )
    rig.fault("poweroffice", kind="error", match="PATCH /Customers/{id}", status=400, count=2)
    assert (
        tandem(rig, "redrive", "--letter", "demo/customer/kari/2")
        == "1 planned again, 0 messages sent again\n"
    )
    wait_for("it was refused again", lambda: "demo/customer/kari/3" in tandem(rig, "letters"))
    assert "demo/customer/kari/2" not in tandem(rig, "letters")
    assert (
        tandem(rig, "redrive", "--reason", "unexpected ERROR")
        == "1 planned again, 0 messages sent again\n"
    )
    link_when(rig, "kari", "linked")
    assert [each.get("PhoneNumber") for each in rig.go_customers()].count("+47 1") == 1
    before = set(keys_of(rig))
    assert tandem(rig, "redrive").endswith("1 messages sent again\n")
    wait_for("it died again under its new place", lambda: len(set(keys_of(rig)) - before) == 1)
    assert len(keys_of(rig)) == 1


def keys_of(rig: Rig) -> list[str]:
    found: list[dict[str, Any]] = msgspec.json.decode(tandem(rig, "letters", "--json"))
    return [each["id"] for each in found]


def test_watch_shows_changes_as_they_happen_until_ctrl_c(rig: Rig) -> None:
    """A line for the edit, one for what an operator does; Ctrl-C is how it ends."""
    rig.start()
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    link_when(rig, "kari", "linked")
    command = [sys.executable, "-m", "services.console.cli", "watch"]
    with subprocess.Popen(
        command,
        env=rig.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=interruptible,
    ) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "watching demo; Ctrl-C ends it\n"
            rig.chargebee.post("/customers/kari", data={"phone": "+47 2"}).raise_for_status()
            wait_for("it crossed", lambda: rig.go_customers()[0].get("PhoneNumber") == "+47 2")
            link_when(rig, "kari", "linked")
            tandem(rig, "pause", "--entity", "order")
            assert process.stdout is not None
            lines = [process.stdout.readline(), process.stdout.readline()]
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 0
    assert re.fullmatch(
        r"CLOCK customer kari: update in poweroffice \(phone\): applied \d+ ms", same(lines[0])
    )
    assert same(lines[1]) == "CLOCK signal ID: SOMEBODY asked for pause: done"


def test_an_edit_that_lost_is_told_with_both_values(rig: Rig, tmp_path: Path) -> None:
    """Both sides change the phone while a pause holds the customer: Chargebee owns it, Go's value
    loses."""
    rig.start()
    rig.add_customer(
        id="kari", first_name="Kari", last_name="Nordmann", email="kari@eksempel.no", phone="+47 1"
    )
    go_id = link_when(rig, "kari", "linked").poweroffice.id  # type: ignore[union-attr]
    assert tandem(rig, "lost") == "0 edits lost\n"
    tandem(rig, "pause", "--entity", "customer")
    rig.chargebee.post("/customers/kari", data={"phone": "+47 2"}).raise_for_status()
    rig.go_edit(f"/Customers/{go_id}", PhoneNumber="+47 3")
    wait_for("both edits are seen", lambda: phones(rig) == ["+47 2", "+47 3"])
    tandem(rig, "resume")
    wait_for("Chargebee's value is in Go", lambda: phones(rig) == ["+47 2", "+47 2"])
    assert same(tandem(rig, "lost")).splitlines() == [
        "TIME customer kari: phone of poweroffice lost: +47 3; chargebee won: +47 2",
        "    conflict: phone was changed on both sides; the value of chargebee is kept",
        "1 edit lost",
    ]
    table = tmp_path / "lost.csv"
    (found,) = msgspec.json.decode(
        tandem(rig, "lost", "--since", "1h", "--side", "poweroffice", "--json", "--csv", str(table))
    )
    assert (found["system"], found["losing"], found["winner"], found["value"]) == (
        "poweroffice",
        "+47 3",
        "chargebee",
        "+47 2",
    )
    assert found["ids"] == {"chargebee": "kari", "poweroffice": go_id}
    assert "conflict,phone was changed on both sides" in table.read_text(encoding="utf-8")
    for arguments in (
        ("--entity", "order"),
        ("--side", "chargebee"),
        ("--to", "1h"),
        ("--from", "2030-01-01"),
    ):
        assert tandem(rig, "lost", *arguments) == "0 edits lost\n"
    assert "give a time such as 2026-11-28T10:00" in tandem(
        rig, "lost", "--from", "chargebee", code=2
    )
    assert "--from 1200 is an offset: give a time" in tandem(rig, "lost", "--from", "1200", code=2)
    assert "the file cannot be written" in tandem(rig, "lost", "--csv", str(tmp_path), code=2)


def phones(rig: Rig) -> list[str]:
    """What was seen in Chargebee and in Go, once no command is under way."""
    link = rig.links()["kari"]
    sides = () if link.flight else (link.chargebee, link.poweroffice)
    return [side.seen["phone"] for side in sides if side is not None and side.seen is not None]


def test_possible_duplicates_are_told_with_the_reason_that_the_journal_has(rig: Rig) -> None:
    """Both keys on one line, and the keys of the others in the link itself."""
    tandem(rig, "topics", "create")
    link = Link(
        tenant="demo",
        entity="customer",
        key="fjord",
        state="linked",
        duplicates=["go-2"],
        chargebee=Side(id="fjord", version="1"),
        poweroffice=Side(id="1", version="1"),
    )
    entry = JournalEntry(
        tenant="demo",
        entity="customer",
        link="fjord",
        entry="3",
        at="2026-11-28T10:00:00.000000Z",
        rule="possible_duplicate",
        text="the same number",
        cause="c",
        value="go-2",
    )
    rig.send("links", b"demo/customer/fjord", encode(link))
    rig.send("journal", b"demo/customer/fjord/3", msgspec.json.encode(entry))
    shown = same(tandem(rig, "status", code=3)).splitlines()  # no service runs
    assert "  customer fjord and go-2: the same number" in shown
    (found,) = rig.status()["tenants"]["demo"]["duplicates"]
    assert (found["key"], found["duplicates"]) == ("fjord", ["go-2"])
    assert tandem(rig, "links", "show", "customer", "fjord").endswith("possible duplicates: go-2\n")


def test_picking_wants_one_candidate_or_that_it_is_none_of_them(rig: Rig) -> None:
    """Exactly one of both; nothing is sent otherwise."""
    tandem(rig, "topics", "create")
    for arguments in ((), ("go-1", "--new")):
        said = tandem(rig, "links", "pick", "customer", "per", *arguments, code=2)
        assert (
            said == "name one candidate, or give --new where it is none of them; tandem links show "
            "lists them\n"
        )
    assert rig.records("signals") == []


def test_a_command_for_a_tenant_that_is_not_there_does_nothing(rig: Rig) -> None:
    """Whatever it is; and with several tenants one has to be named."""
    rig.start()
    for arguments in (
        ("status",),
        ("plan",),
        ("letters",),
        ("pause",),
        ("resume",),
        ("mode", "sync"),
        ("redrive",),
        ("watch",),
        ("lost",),
        ("held", "release", "order"),
        ("links", "unlink", "order", "x"),
        ("forget", "order", "x"),
        ("reconcile",),
        ("rebuild",),
        ("runs", "list"),
    ):
        assert (
            tandem(rig, *arguments, "--tenant", "acme", code=2)
            == "no tenant 'acme'; there are: demo\n"
        )
    assert rig.records("signals") == [] or all(
        each["kind"] in ("identity", "vendor_reachable") for each in rig.records("signals")
    )
    assert "no tenant 'acme'" in tandem(rig, "plan", code=2, TANDEM_TENANT="acme")


def test_two_customers_that_were_linked_wrongly_are_parted(rig: Rig) -> None:
    """Neither is made anew on the other side, and an edit of one stays with it."""
    rig.start()
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    link_when(rig, "kari", "linked")
    rig.quiet()
    assert re.fullmatch(
        r"done \(signal ID\)\n?", same(tandem(rig, "links", "unlink", "customer", "kari")).strip()
    )
    link_when(rig, "kari", "ignored")
    wait_for(
        "our reference is gone from Go",
        lambda: not rig.go_customers()[0].get("ExternalImportReference"),
    )
    rig.chargebee.post("/customers/kari", data={"phone": "+47 2"}).raise_for_status()
    rig.quiet()
    assert [each.get("PhoneNumber") for each in rig.go_customers()] == [None]
    assert "there is no customer link 'nobody'" in tandem(
        rig, "links", "unlink", "customer", "nobody", code=2
    )


def test_topics_are_checked_and_made(rig: Rig) -> None:
    """What is missing is named with code 3; making them anew changes nothing."""
    other: dict[str, Any] = {"TANDEM_KAFKA__TOPIC_PREFIX": rig.prefix + "other."}
    missing = tandem(rig, "topics", "check", code=3, **other).splitlines()
    assert (len(missing), missing[0]) == (
        len(TOPICS),
        f"{rig.prefix}other.customers: does not exist",
    )
    assert (
        tandem(rig, "topics", "create", **other).splitlines()[0]
        == f"created {rig.prefix}other.customers"
    )
    assert tandem(rig, "topics", "create", **other) == "all topics exist as they should\n"
    assert tandem(rig, "topics", "check", **other) == "all topics exist as they should\n"
    wrong = tandem(rig, "topics", "check", code=3, TANDEM_KAFKA__PARTITIONS="2", **other)
    assert "has 1 partitions, kafka.partitions says 2; set kafka.partitions to what exists" in wrong


def test_topics_of_before_are_raised_to_larger_messages(rig: Rig) -> None:
    """An installation of before has Kafka's own limit of 1 MB; everything else about its topics
    stays as it is."""
    other: dict[str, Any] = {"TANDEM_KAFKA__TOPIC_PREFIX": rig.prefix + "small."}
    tandem(rig, "topics", "create", TANDEM_KAFKA__MAX_MESSAGE_BYTES="1048588", **other)
    small = tandem(rig, "topics", "check", code=3, **other).splitlines()
    assert len(small) == len(TOPICS)
    assert small[0] == (
        f"topic {rig.prefix}small.customers has max.message.bytes=1048588, kafka.max_message_bytes "
        f"says 8388608; "
        "tandem topics create raises it, or set kafka.max_message_bytes lower"
    )
    raised = tandem(rig, "topics", "create", **other).splitlines()
    assert raised[0] == f"raised max.message.bytes of {rig.prefix}small.customers"
    assert len(raised) == len(TOPICS)
    smaller: dict[str, Any] = {"TANDEM_KAFKA__MAX_MESSAGE_BYTES": "1000000"}
    for variables in ({}, smaller):
        assert (
            tandem(rig, "topics", "check", **other, **variables)
            == "all topics exist as they should\n"
        )


def test_without_the_linker_a_signal_is_kept_for_it(rig: Rig) -> None:
    """Code 1 and words; it is carried out once the linker runs."""
    rig.start()
    rig.stop("linker")
    said = tandem(rig, "pause", "--entity", "order", code=1, TANDEM_CONSOLE__PATIENCE="0.1")
    assert said == "sent, but the linker has not taken it yet; it will when it runs\n"
    rig.start("linker")
    wait_for(
        "it is carried out",
        lambda: "order to chargebee is paused" in " ".join(tandem(rig, "status").split()),
    )


def test_the_shell_completes_the_commands() -> None:
    """`tandem --install-completion` installs what this prints."""
    told = {
        **os.environ,
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }  # tests may have no shell above them
    done = subprocess.run(
        [sys.executable, "-m", "services.console.cli", "--show-completion", "bash"],
        capture_output=True,
        text=True,
        check=False,
        env=told,
    )
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout

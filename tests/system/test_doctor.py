"""`tandem doctor` as a person runs it: the real command, a real Kafka, both simulators, with and
without services."""

import asyncio
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.topics import TOPICS
from tests.system.rig import SERVICES, Rig, free_port, tandem
from tests.waiting import wait_for

TENANT = "TANDEM_TENANTS__DEMO__"
OTHER_CLIENT = "00000000-0000-4000-8000-000000000002"
SECRETS = (
    "CHARGEBEE__API_KEY",
    "CHARGEBEE__WEBHOOK_USERNAME",
    "CHARGEBEE__WEBHOOK_PASSWORD",
    "POWEROFFICE__APPLICATION_KEY",
    "POWEROFFICE__CLIENT_KEY",
    "POWEROFFICE__SUBSCRIPTION_KEY",
)


@pytest.fixture
def rig(kafka: str, tmp_path: Path) -> Iterator[Rig]:
    """Both simulators, with the item families that the settings map to product groups."""
    with Rig(kafka, tmp_path) as held:
        for family in ("abonnement", "tillegg", "varer"):
            held.act("/item_families", "item_family", id=family, name=family)
        yield held


def diagnosis(rig: Rig, **variables: str) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(
        tandem(rig, "doctor", "--json", code=3, **variables)
    )
    return found


def findings(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (each["check"], each["words"]) for each in found["checks"] if each["state"] == "finding"
    ]


def edit(rig: Rig, customer: str) -> None:
    """A person changes a phone number in Chargebee, which is an event and a webhook."""
    rig.act(f"/customers/{customer}", "customer", phone=f"+47 {time.monotonic_ns() % 10**8:08d}")


def words_of(found: dict[str, Any], check: str) -> list[str]:
    return [each["words"] for each in found["checks"] if each["check"] == check]


def test_from_nothing_to_all_right(rig: Rig) -> None:
    """Missing topics, then services that do not run, then nothing at all; nothing is written by
    looking."""
    before = tandem(rig, "doctor", code=3)
    assert f"finding  topics: {len(TOPICS)} of {len(TOPICS)} do not exist (" in before
    assert "         fix: tandem topics create; kafka.partitions is fixed from then on\n" in before
    assert "note     pinned Go company: not checked: the topics are not as they should be" in before
    assert before.endswith(
        "Next: correct the one thing marked above, then run tandem doctor again\n"
    )
    tandem(rig, "topics", "create")
    ready = tandem(rig, "doctor", "--tenant", "demo")
    assert f"ok       topics: all {len(TOPICS)} exist as they should" in ready
    for service in SERVICES:
        assert f"         fix: start it: python -m services.{service}\n" in ready
    assert "note     webhook receiver: not checked: the adapter does not answer on " in ready
    assert ready.endswith(
        "  python -m services.linker\n  python -m services.chargebee_adapter\n"
        "  python -m services.poweroffice_adapter\n"
    )
    rig.start()
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    _all_is_right(rig)


def _all_is_right(rig: Rig) -> None:
    def delivered() -> bool:
        edit(rig, "kari")
        return "ok       webhook delivery: the newest webhook was delivered" in tandem(
            rig, "doctor"
        )

    wait_for("a webhook was due since the start", delivered)
    writes = rig.quiet()
    lines = tandem(rig, "doctor").splitlines()
    assert rig.writes() == writes
    assert [line for line in lines if not line.startswith("ok  ")] == [
        "Installation",
        "Tenant demo",
        "note     Chargebee item families: 'tandem' is not there yet; it is created with the first "
        "product born in Go",
        "Services",
        "Next: demo is in sync: tandem status shows how it stands",
    ]
    assert (
        "ok       pinned Go company: 5b4c2a0e-7f0d-4b58-9d2f-3b8f3f1f6a10, the one behind the keys"
        in lines
    )


def test_no_kafka(rig: Rig) -> None:
    """Is a finding with its fix; the vendors are checked all the same."""
    nowhere = f"127.0.0.1:{free_port()}"
    said = tandem(rig, "doctor", code=3, TANDEM_KAFKA__BOOTSTRAP=nowhere)
    assert f"finding  Kafka: cannot be reached at {nowhere}: nothing listens on {nowhere}\n" in said
    assert (
        "         fix: start one (tandem kafka), or correct kafka.bootstrap and what else stands "
        "under [kafka]" in said
    )
    assert "note     topics: not checked: Kafka cannot be used\n" in said
    assert "note     pinned Chargebee site: not checked: Kafka cannot be used\n" in said
    assert "ok       Go keys: they open the company Fjordvik Abonnement AS" in said


def test_settings_that_cannot_be_used(rig: Rig) -> None:
    """Code 2, as for every command: a line per fault, and a tenant that is not there."""
    said = tandem(rig, "doctor", code=2, TANDEM_KAFKA__PARTITIONS="many")
    assert said.startswith(
        "kafka.partitions: must be a whole number, such as 5; correct TANDEM_KAFKA__PARTITIONS"
    )
    assert (
        tandem(rig, "doctor", "--tenant", "nobody", code=2)
        == "no tenant 'nobody'; there are: demo\n"
    )


def make_wrong_topic(rig: Rig) -> None:
    """The topic of the links, with two partitions and deleting what is old."""
    config = {
        **next(topic.config for topic in TOPICS if topic.name == "links"),
        "cleanup.policy": "delete",
    }

    async def run() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=rig.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(f"{rig.prefix}links", 2, 1, topic_configs=config)])
        finally:
            await admin.close()

    asyncio.run(run())


def test_many_things_at_once(rig: Rig) -> None:
    """Each is told once with its fix, as JSON: what needs what is wrong is not checked."""
    make_wrong_topic(rig)
    rig.settings("chargebee", orders_enabled=False, webhook_disabled=True, clock_offset_s=3600)
    rig.settings("poweroffice", removed_privileges=["SalesOrders_Full"], clock_offset_s=-600)
    rig.add_item("kabel", 1000, family="utstyr")
    rig.go_post("/ProductGroups", {"Code": "bare", "Name": "Uten konto"})
    found = diagnosis(
        rig,
        **{
            "TANDEM_TENANTS__DEMO__INVOICING__BY": " ",
            "TANDEM_TENANTS__DEMO__PRODUCT__GROUPS": '{"abonnement": "bare", "varer": "borte"}',
        },
    )
    told = [
        (
            "topics",
            f"{len(TOPICS) - 1} of {len(TOPICS)} do not exist ({rig.prefix}customers, "
            f"{rig.prefix}products, "
            f"{rig.prefix}orders, …)",
        ),
        ("topics", f"topic {rig.prefix}links has 2 partitions, kafka.partitions says 1"),
        (
            "topics",
            f"topic {rig.prefix}links has cleanup.policy=delete, the topic table says compact",
        ),
        ("Chargebee clock", "the clock of this machine is 60 min behind Chargebee's"),
        (
            "Chargebee item families",
            "the item family 'utstyr' is in use and has no product group: its products cannot be "
            "created in Go",
        ),
        (
            "Chargebee orders",
            "Orders are not enabled on the site (Orders are not enabled for this site)",
        ),
        ("webhook in Chargebee", "the one that leads to /webhooks/chargebee/demo is disabled"),
        ("Go clock", "the clock of this machine is 10 min ahead of PowerOffice Go's"),
        (
            "Go privileges",
            "SalesOrders_Full is missing, and Go lists it as invalid: needed for orders only, "
            "to create "
            "and change sales orders",
        ),
        (
            "Go product groups",
            "the product group 'bare' has no sales account, so its products cannot be sold "
            "with VAT",
        ),
        (
            "Go product groups",
            "Go has no product group 'borte', which product.groups names for 'varer'",
        ),
    ]
    assert findings(found) == told
    assert found["findings"] == len(told)
    assert all(each["fix"] for each in found["checks"] if each["state"] == "finding")
    assert found["next"] == ["correct the 11 things marked above, then run tandem doctor again"]


def test_an_undecided_setting_and_a_reading_key(rig: Rig) -> None:
    """The tenant of the settings asks for sync and would stay in observe; the key would refuse
    every write."""
    tandem(rig, "topics", "create")
    rig.kill("chargebee")
    rig._start(
        "simulators.chargebee",
        "chargebee",
        [
            "--port",
            str(rig.ports["chargebee"]),
            "--api-key",
            "full",
            "--data",
            "demo",
            "--extra-api-key",
            "reader=sync-key:read_only_access",
        ],
    )
    wait_for("Chargebee answers again", lambda: rig._answers(f"{rig.url('chargebee')}/_sim/health"))
    settings = rig.directory / "tandem.toml"
    settings.write_text(settings.read_text().replace('invoicing.by = "chargebee"\n', ""))
    found = diagnosis(rig)
    assert findings(found)[:2] == [
        (
            "decisions",
            "invoicing.by is not set, so demo only observes. Who invoices orders born in "
            "Chargebee. "
            "chargebee: Go drafts say 'do not send', no postings.",
        ),
        ("Chargebee write access", "the API key may only read"),
    ]


def test_another_account_and_other_passwords(rig: Rig) -> None:
    """What only running services show: a pinned account, and webhook passwords on the three sides
    that hold one."""
    rig.start()
    wait_for(
        "the company is pinned",
        lambda: (
            "the one behind the keys"
            in str(
                words_of(msgspec.json.decode(tandem(rig, "doctor", "--json")), "pinned Go company")
            )
        ),
    )
    rig.settings("chargebee", webhook_password="typed-wrong")
    rig.add_customer(id="kari", first_name="Kari", last_name="Nordmann")
    rig.settings("poweroffice", client_id=OTHER_CLIENT)

    def refused() -> dict[str, Any] | None:
        edit(rig, "kari")
        found = diagnosis(rig)
        return (
            found
            if any(
                "sends another user name" in each for each in words_of(found, "webhook delivery")
            )
            else None
        )

    told = findings(wait_for("the refused webhook is told", refused))
    assert [check for check, _ in told] == ["webhook delivery", "pinned Go company"]
    assert told[1][1] == (
        "demo was connected to 5b4c2a0e-7f0d-4b58-9d2f-3b8f3f1f6a10, and these keys belong to "
        f"{OTHER_CLIENT}: nothing is read or written"
    )
    other = diagnosis(rig, **{f"{TENANT}CHARGEBEE__WEBHOOK_PASSWORD": "a-newer-one"})
    assert (
        "webhook receiver",
        "the running adapter has another webhook user name or password than these settings",
    ) in findings(other)


def test_no_secret_is_printed(rig: Rig) -> None:
    """With every secret a canary that is refused, as text and as JSON, and in Kafka's settings."""
    canaries: dict[str, Any] = {
        f"{TENANT}{name}": f"canary-{number}-of-a-secret" for number, name in enumerate(SECRETS)
    }
    canaries |= {
        "TANDEM_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "TANDEM_KAFKA__SASL_MECHANISM": "PLAIN",
        "TANDEM_KAFKA__SASL_USERNAME": "tandem",
        "TANDEM_KAFKA__SASL_PASSWORD": "canary-of-kafka",
    }
    for arguments in (("doctor",), ("doctor", "--json")):
        said = tandem(rig, *arguments, code=3, **canaries)
        assert "canary" not in said
        assert "refuses the API key" in said and "Go refuses the subscription key" in said


def test_it_ends_when_everything_hangs(rig: Rig) -> None:
    """Kafka, both vendors and all three services take a connection and never answer."""
    with ExitStack() as stack:
        for name in ("chargebee", "poweroffice"):
            rig.kill(name)
        holes = [
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
            for port in (0, *rig.ports.values())
        ]
        kafka = f"127.0.0.1:{holes[0].getsockname()[1]}"
        said = tandem(
            rig, "doctor", code=3, TANDEM_KAFKA__BOOTSTRAP=kafka, TANDEM_CONSOLE__PATIENCE="0.5"
        )
    assert "within 4 s\n" in said
    # Which of the limits inside one another ends a check is a matter of the machine's load.
    reasons = "no answer within|Go cannot be used now: token: POST |the check did not end in time"
    for check in ("Chargebee(?: site and key)?", "(?:PowerOffice )?Go(?: keys)?"):
        assert re.search(rf"finding  {check}: (?:{reasons})", said), said
    assert said.count("does not run: nothing answers on") == len(SERVICES)
    things = len(re.findall(r"^finding ", said, re.MULTILINE))
    wanted = f"Next: correct the {things} things marked above, then run tandem doctor again"
    assert os.linesep + wanted in said

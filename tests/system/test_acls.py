"""The commands of docs/security.md on a real Kafka that asks for a name and allows nothing else:
everything works, and the adapter that the internet reaches can write no command."""

import asyncio
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import TopicAuthorizationFailedError
from aiokafka.protocol.admin import CreateAclsRequest

from runtime import embedded_kafka
from runtime.embedded_kafka import EmbeddedKafka
from tests.system.rig import SERVICES, Rig, free_port, link_when, tandem
from tests.waiting import wait_for

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
USERS = {name: f"tandem-{name.removesuffix('_adapter')}" for name in (*SERVICES, "console")}
PASSWORD = "only-in-this-test"
RESOURCES = {
    "--topic": 2,
    "--group": 3,
    "--transactional-id": 5,
}  # ResourceType and AclOperation of Kafka's protocol
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8, "DescribeConfigs": 10}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
Rule = tuple[int, str, int, str, str, int, int]


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[EmbeddedKafka, int]]:
    """A Kafka that takes this test's own connections as its administrator's, and others by name on
    a second port."""
    port = free_port()
    users = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS.values())
    login = f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
    monkeypatch.setattr(
        embedded_kafka,
        "PROPERTIES",
        f"""{embedded_kafka.PROPERTIES}
listeners=PLAINTEXT://{{host}}:{{port}},NAMED://{{host}}:{port},CONTROLLER://{{host}}:{{controller_port}}
advertised.listeners=PLAINTEXT://{{host}}:{{port}},NAMED://{{host}}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,NAMED:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
listener.name.named.sasl.enabled.mechanisms=PLAIN
listener.name.named.plain.sasl.jaas.config={login}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
""",
    )
    with EmbeddedKafka(tmp_path / "kafka", port=0, controller_port=0) as held:
        yield held, port


def rules(prefix: str) -> list[Rule]:
    """What the commands of the page allow, with the prefix of this test's topics."""
    text = PAGE.read_text(encoding="utf-8").replace("tandem.", prefix)
    return [
        rule
        for line in re.findall(r"^    acl (--.*)$", text, re.MULTILINE)
        for rule in _of(shlex.split(line))
    ]


def _of(words: list[str]) -> Iterator[Rule]:
    given = list(zip(words[::2], words[1::2], strict=True))
    pattern = PREFIXED if ("--resource-pattern-type", "prefixed") in given else LITERAL
    for option, name in given:
        if option in RESOURCES:
            for principal in (value for key, value in given if key == "--allow-principal"):
                for operation in (value for key, value in given if key == "--operation"):
                    yield (
                        RESOURCES[option],
                        name,
                        pattern,
                        principal,
                        "*",
                        OPERATIONS[operation],
                        ALLOW,
                    )


async def allow(rig: Rig, allowed: list[Rule]) -> None:
    async with rig.kafka.admin() as admin:
        for rule in allowed:
            answer = await admin._send_request(CreateAclsRequest(*rule))
            assert [code for code, _ in answer.creation_responses] == [0], (rule, answer)


def variables(service: str, port: int) -> dict[str, str]:
    return {
        "TANDEM_KAFKA__BOOTSTRAP": f"127.0.0.1:{port}",
        "TANDEM_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "TANDEM_KAFKA__SASL_MECHANISM": "PLAIN",
        "TANDEM_KAFKA__SASL_USERNAME": USERS[service],
        "TANDEM_KAFKA__SASL_PASSWORD": PASSWORD,
    }


def test_the_acls_of_the_page_are_enough_and_keep_the_adapters_from_commands(
    broker: tuple[EmbeddedKafka, int], tmp_path: Path
) -> None:
    """A record crosses, is edited, looked at, reconciled and forgotten; an administrator has made
    the topics."""
    kafka, port = broker
    with Rig(kafka.bootstrap, tmp_path) as rig:
        tandem(rig, "topics", "create")
        asyncio.run(allow(rig, rules(rig.prefix)))
        for name in SERVICES:
            rig.variables = variables(name, port)
            rig.start(name)
        rig.variables = variables("console", port)
        rig.add_customer(
            id="ola", first_name="Ola", last_name="Dal"
        )  # a list that is empty at once is not believed
        rig.add_customer(
            id="kari", first_name="Kari", last_name="Nordmann", email="kari@eksempel.no"
        )
        go_id = link_when(rig, "kari", "linked").poweroffice.id  # type: ignore[union-attr]
        rig.go_edit(f"/Customers/{go_id}", EmailAddress="ny@eksempel.no")
        wait_for(
            "an edit in Go crosses",
            lambda: rig.chargebee.get("/customers/kari").json()["customer"]["email"],
            lambda email: email == "ny@eksempel.no",
        )
        link_when(rig, "kari", "linked")
        assert "ny@eksempel.no" in tandem(rig, "links", "show", "customer", "kari")
        assert "Messages not taken yet: linker 0" in tandem(rig, "status")
        assert tandem(rig, "reconcile", "--entity", "customer").startswith(
            "matched 2 customers; different 0"
        )
        rig.chargebee.post("/customers/kari/delete").raise_for_status()
        rig.go.delete(f"/Customers/{go_id}").raise_for_status()
        wait_for(
            "the deletion in Chargebee is seen",
            lambda: getattr(rig.links()["kari"].chargebee, "deleted", False),
        )
        wait_for(
            "the deletion in Go is seen",
            lambda: getattr(rig.links()["kari"].poweroffice, "deleted", False),
        )
        assert tandem(rig, "forget", "customer", "kari").startswith("erased: ")
        for service in ("chargebee_adapter", "poweroffice_adapter"):
            asyncio.run(refused(rig, port, service))


async def refused(rig: Rig, port: int, service: str) -> None:
    """The user of a service is kept from writing commands, links, decisions and the journal."""
    producer = AIOKafkaProducer(
        bootstrap_servers=f"127.0.0.1:{port}",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_plain_username=USERS[service],
        sasl_plain_password=PASSWORD,
    )
    await producer.start()
    try:
        for topic in ("commands.chargebee", "commands.poweroffice", "links", "control", "journal"):
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait(rig.kafka.name(topic), b"{}", partition=0)
    finally:
        await producer.stop()

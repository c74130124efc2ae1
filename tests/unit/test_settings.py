"""Settings: every fault is one line with key and fix, no fault ever shows a value, the environment
wins."""

import copy
import dataclasses
import json
import re
import tomllib
import traceback
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from contracts import settings
from contracts.entities import ENTITIES, FIELDS, SYSTEMS, EntityName, System
from contracts.messages import Link, Side
from contracts.settings import Settings, SettingsError, Tenant
from services.linker import merge
from services.linker.policy import policy_of
from services.linker.state import owner

ROOT = Path(__file__).parents[2]
CANARY = "kanarifugl"
SECRETS = {
    "TANDEM_TENANTS__DEMO__CHARGEBEE__API_KEY": f"{CANARY}-1",
    "TANDEM_TENANTS__DEMO__CHARGEBEE__WEBHOOK_USERNAME": f"{CANARY}-2",
    "TANDEM_TENANTS__DEMO__CHARGEBEE__WEBHOOK_PASSWORD": f"{CANARY}-3",
    "TANDEM_TENANTS__DEMO__POWEROFFICE__APPLICATION_KEY": f"{CANARY}-4",
    "TANDEM_TENANTS__DEMO__POWEROFFICE__CLIENT_KEY": f"{CANARY}-5",
    "TANDEM_TENANTS__DEMO__POWEROFFICE__SUBSCRIPTION_KEY": f"{CANARY}-6",
    "TANDEM_KAFKA__SASL_PASSWORD": f"{CANARY}-7",
}
DEMO = """
[tenants.demo]
chargebee.site = "acme-test"
poweroffice.environment = "demo"
"""
DECIDED = """
mode = "sync"
invoicing.by = "chargebee"
start.orders = 2026-01-01
create.order.to_chargebee = "off"
chargebee.prices = "net"
"""
API_KEY = "TANDEM_TENANTS__DEMO__CHARGEBEE__API_KEY"
CLIENT_KEY = "TANDEM_TENANTS__DEMO__POWEROFFICE__CLIENT_KEY"


class Loader:
    """Loads settings from a text and an environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tandem.toml"

    def __call__(self, toml: str = DEMO, environ: Mapping[str, str] | None = None) -> Settings:
        self.file.write_text(toml, encoding="utf-8")
        return settings.load(self.file, {**SECRETS, **(environ or {})})

    def fails(self, toml: str = DEMO, environ: Mapping[str, str] | None = None) -> str:
        with pytest.raises(SettingsError) as caught:
            self(toml, environ)
        return str(caught.value)


@pytest.fixture
def load(tmp_path: Path) -> Loader:
    return Loader(tmp_path)


def tenant(**more: Any) -> Tenant:
    chargebee = {"site": "acme", "api_key": "k", **more.pop("chargebee", {})}
    keys = {"application_key": "a", "client_key": "c", "subscription_key": "s"}
    poweroffice = {"environment": "demo", **keys, **more.pop("poweroffice", {})}
    return Tenant.model_validate({"chargebee": chargebee, "poweroffice": poweroffice, **more})


# Faults, each as the operator reads it.

FAULTS = {
    "secret missing": (
        DEMO,
        {CLIENT_KEY: ""},
        f"tenants.demo.poweroffice.client_key: is missing; set {CLIENT_KEY} or {CLIENT_KEY}_FILE",
    ),
    "wrong choice": (
        DEMO + 'mode = "both"',
        {},
        "tenants.demo.mode: must be 'observe' or 'sync'; correct it in tandem.toml",
    ),
    "wrong choice in the environment": (
        DEMO,
        {"TANDEM_TENANTS__DEMO__MODE": "both"},
        "tenants.demo.mode: must be 'observe' or 'sync'; correct TANDEM_TENANTS__DEMO__MODE",
    ),
    "unknown key": (
        DEMO + 'mood = "sync"',
        {},
        "tenants.demo.mood: is an unknown key; did you mean mode?",
    ),
    "unknown key of another table": (
        DEMO + "requests_per_minute = 150",
        {},
        "tenants.demo.requests_per_minute: is an unknown key; did you mean "
        "tenants.demo.chargebee.requests_per_minute?",
    ),
    "unknown key without a neighbour": (
        "[log]\nxyz = 1",
        {k: "" for k in SECRETS},
        "log.xyz: is an unknown key; remove it; known here: level, format",
    ),
    "unknown variable": (
        DEMO,
        {"TANDEM_TENANTS__DEMO__MOOD": "sync"},
        "tenants.demo.mood: is an unknown key (from TANDEM_TENANTS__DEMO__MOOD); "
        "did you mean TANDEM_TENANTS__DEMO__MODE?",
    ),
    "table as a variable": (
        DEMO,
        {"TANDEM_TENANTS__DEMO__CHARGEBEE": "x"},
        "tenants.demo.chargebee: must be a table, not a value; "
        "set TANDEM_TENANTS__DEMO__CHARGEBEE__... instead of TANDEM_TENANTS__DEMO__CHARGEBEE",
    ),
    "table as a value": (
        "kafka = 1",
        {k: "" for k in SECRETS},
        "kafka: must be a table, not a value; correct it in tandem.toml",
    ),
    "secret in the file": (
        DEMO + f'chargebee.api_key = "{CANARY}"',
        {},
        "tenants.demo.chargebee.api_key: is a secret and must not stand in tandem.toml; "
        f"remove it (and change the secret), set {API_KEY} or {API_KEY}_FILE",
    ),
    "secret's file named in the file": (
        DEMO + 'chargebee.api_key_file = "/run/secrets/key"',
        {},
        f"tenants.demo.chargebee.api_key_file: is an unknown key; set {API_KEY}_FILE in the "
        f"environment",
    ),
    "tenant name": (
        DEMO + '[tenants."Acme AS"]\nchargebee.site="a"\npoweroffice.environment="demo"',
        {},
        'tenants."Acme AS": tenant names are 1 to 32 of a-z, 0-9 and _; rename it',
    ),
    "site and base_url": (
        DEMO + 'chargebee.base_url = "http://127.0.0.1:8701/api/v2"',
        {},
        "tenants.demo.chargebee.base_url: stands beside site; keep one of site and base_url",
    ),
    "neither site nor base_url": (
        '[tenants.demo]\npoweroffice.environment = "demo"',
        {},
        "tenants.demo.chargebee.site: is missing; set it in tandem.toml or "
        "TANDEM_TENANTS__DEMO__CHARGEBEE__SITE",
    ),
    "whole site address": (
        DEMO,
        {"TANDEM_TENANTS__DEMO__CHARGEBEE__SITE": "acme.chargebee.com"},
        "tenants.demo.chargebee.site: must be the site's name only, the part before "
        ".chargebee.com; "
        "correct TANDEM_TENANTS__DEMO__CHARGEBEE__SITE",
    ),
    "base_url without token_url": (
        '[tenants.demo]\nchargebee.site = "a"\npoweroffice.base_url = "http://127.0.0.1:8702/v2"',
        {},
        "tenants.demo.poweroffice.token_url: is missing; "
        "set it in tandem.toml or TANDEM_TENANTS__DEMO__POWEROFFICE__TOKEN_URL",
    ),
    "environment and token_url": (
        DEMO + 'poweroffice.token_url = "http://127.0.0.1:8702/OAuth/Token"',
        {},
        "tenants.demo.poweroffice.token_url: stands beside environment; keep environment, or "
        "base_url with token_url",
    ),
    "no environment": (
        '[tenants.demo]\nchargebee.site = "a"',
        {},
        "tenants.demo.poweroffice.environment: is missing; "
        "set it in tandem.toml or TANDEM_TENANTS__DEMO__POWEROFFICE__ENVIRONMENT",
    ),
    "half of the webhook's credentials": (
        DEMO,
        {"TANDEM_TENANTS__DEMO__CHARGEBEE__WEBHOOK_PASSWORD": ""},
        "tenants.demo.chargebee.webhook_password: is missing; "
        "set TANDEM_TENANTS__DEMO__CHARGEBEE__WEBHOOK_PASSWORD "
        "or TANDEM_TENANTS__DEMO__CHARGEBEE__WEBHOOK_PASSWORD_FILE",
    ),
    "a page without the id": (
        '[tenants.demo]\nchargebee.site = "x"\npoweroffice.environment = "demo"\n'
        'chargebee.pages.customer = "https://example.com/customers"',
        {},
        "tenants.demo.chargebee.pages.customer: must be an http or https address without user or "
        "password, with {id} once in place of the record's id, such as "
        "https://example.com/customers/{id}; correct it in tandem.toml",
    ),
    "a page of a script": (
        '[tenants.demo]\nchargebee.site = "x"\npoweroffice.environment = "demo"\n'
        'poweroffice.pages.order = "javascript:alert({id})"',
        {},
        "tenants.demo.poweroffice.pages.order: must be an http or https address without user or "
        "password, with {id} once in place of the record's id, such as "
        "https://example.com/customers/{id}; correct it in tandem.toml",
    ),
    "password in an address": (
        '[tenants.demo]\npoweroffice.environment = "demo"\n'
        f'chargebee.base_url = "http://user:{CANARY}@127.0.0.1/api/v2"',
        {},
        "tenants.demo.chargebee.base_url: must be an http or https address without user, password, "
        "query or "
        "fragment; correct it in tandem.toml",
    ),
    "slot": (
        DEMO,
        {"TANDEM_SLOT": "2/2"},
        "slot: must be i/n with 0 <= i < n, such as 0/1 for the only process; correct TANDEM_SLOT",
    ),
    "partition beyond the topics": (
        DEMO + "partition = 12",
        {},
        "tenants.demo.partition: must be below kafka.partitions (12); correct it in tandem.toml",
    ),
    "percent as VAT rate": (
        DEMO + "product.vat_rate = 25",
        {},
        "tenants.demo.product.vat_rate: must be a fraction: 0.25 stands for 25 %; correct it in "
        "tandem.toml",
    ),
    "switch": (
        DEMO + 'create.order.to_chargebee = "maybe"',
        {},
        "tenants.demo.create.order.to_chargebee: must be on or off; correct it in tandem.toml",
    ),
    "number": (
        DEMO + "sink.window = 0",
        {},
        "tenants.demo.sink.window: must be greater than or equal to 1; correct it in tandem.toml",
    ),
    "time zone": (
        DEMO + 'zone = "Oslo"',
        {},
        "tenants.demo.zone: must be an IANA time zone, such as Europe/Oslo; correct it in "
        "tandem.toml",
    ),
    "polls": (
        DEMO + "poweroffice.poll_min_s = 90",
        {},
        "tenants.demo.poweroffice.poll_min_s: must not exceed poll_max_s; correct it in "
        "tandem.toml",
    ),
    "owner's field": (
        DEMO + '[tenants.demo.owner]\n"customer.emial" = "chargebee"',
        {},
        'tenants.demo.owner."customer.emial": is no entity or field; did you mean customer.email?',
    ),
    "owner of a field that is never merged": (
        DEMO + '[tenants.demo.owner]\n"order.total" = "chargebee"',
        {},
        'tenants.demo.owner."order.total": is kept by each system for itself, so nobody wins it; '
        "did you mean order?",
    ),
    "owner of a field that is written once": (
        DEMO + '[tenants.demo.owner]\n"order.lines" = "poweroffice"',
        {},
        'tenants.demo.owner."order.lines": is written when a record is created and never '
        "afterwards, "
        "so nobody wins it; did you mean order?",
    ),
    "owner of a field that does not exist": (
        DEMO + '[tenants.demo.owner]\n"customer.nickname" = "chargebee"',
        {},
        'tenants.demo.owner."customer.nickname": is no entity or field; did you mean '
        "customer.first_name?",
    ),
    "confirming what is not sent": (
        DEMO + 'order.confirm = "on_delivered"\ninvoicing.by = "chargebee"',
        {},
        "tenants.demo.order.confirm: confirms nothing while invoicing.by is chargebee, since Go is "
        "not to send those "
        "drafts; set it to never, or invoicing.by to poweroffice",
    ),
    "owner's key without quotes": (
        DEMO + '[tenants.demo.owner]\ncustomer.email = "chargebee"',
        {},
        'tenants.demo.owner."customer.email": is an unquoted key with a dot; '
        'write the key in quotes, such as "customer.email" = "poweroffice"',
    ),
    "owner": (
        DEMO + '[tenants.demo.owner]\ncustomer = "go"',
        {},
        "tenants.demo.owner.customer: must be 'chargebee', 'poweroffice' or 'ask'; correct it in "
        "tandem.toml",
    ),
    "SASL": (
        DEMO + '[kafka]\nsecurity_protocol = "SASL_SSL"\nsasl_mechanism = "PLAIN"',
        {},
        "kafka.sasl_username: is missing; set it in tandem.toml or TANDEM_KAFKA__SASL_USERNAME",
    ),
    "unreadable secret file": (
        DEMO,
        {CLIENT_KEY: "", f"{CLIENT_KEY}_FILE": f"/nowhere/{CANARY}"},
        f"tenants.demo.poweroffice.client_key: the file that {CLIENT_KEY}_FILE names cannot "
        f"be read "
        f"(No such file or directory); correct {CLIENT_KEY}_FILE or make the file readable for "
        f"this user",
    ),
    "value and file of one secret": (
        DEMO,
        {f"{API_KEY}_FILE": __file__},
        f"tenants.demo.chargebee.api_key: is set by both {API_KEY} and {API_KEY}_FILE; keep "
        f"one of them",
    ),
    "not TOML": (
        f"[log]\nlevel = {CANARY}",
        {},
        "the settings file: is not valid TOML at line 2, column 9; correct it there (text needs "
        "quotes, each bracket "
        "its other half)",
    ),
    "line break in a key": (
        '"a\\nb" = 1',
        {k: "" for k in SECRETS},
        '"a\\nb": is an unknown key; remove it; known here: kafka, ports, reach, host, slot, log, '
        "console, tenants",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_line_with_key_and_fix_and_without_any_value(
    load: Loader, name: str
) -> None:
    toml, environ, text = FAULTS[name]
    with pytest.raises(SettingsError) as caught:
        load(toml, environ)
    error = caught.value
    assert str(error) == text
    assert len(error.faults) == 1
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.faults)
    assert CANARY not in shown


def test_all_faults_are_reported_at_once(load: Loader) -> None:
    """An operator corrects everything after one start."""
    text = load.fails('[tenants.demo]\nmode = "x"\nzone = "y"', {name: "" for name in SECRETS})
    assert [line.partition(":")[0] for line in text.splitlines()] == [
        "tenants.demo.mode",
        "tenants.demo.zone",
        "tenants.demo.chargebee.site",
        "tenants.demo.poweroffice.environment",
        "tenants.demo.chargebee.api_key",
        "tenants.demo.poweroffice.application_key",
        "tenants.demo.poweroffice.client_key",
        "tenants.demo.poweroffice.subscription_key",
    ]


def test_secrets_show_nowhere(load: Loader) -> None:
    read = load(DEMO, {})
    assert read.tenants["demo"].chargebee.api_key.get_secret_value() == f"{CANARY}-1"
    for shown in (
        repr(read),
        str(read),
        read.model_dump_json(),
        repr(read.model_dump()),
        f"{read.tenants}",
    ):
        assert CANARY not in shown


def test_models_hide_their_input_when_they_are_built_directly() -> None:
    with pytest.raises(ValidationError) as caught:
        tenant(chargebee={"api_key": CANARY, "prices": CANARY, "site": f"{CANARY}!"})
    assert CANARY not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


@pytest.mark.parametrize("key", settings.every_key(), ids=lambda key: settings.dotted(key.path))
def test_a_secret_in_a_variable_of_another_kind_is_not_shown(
    load: Loader, key: settings.Key
) -> None:
    path = tuple("demo" if part == "*" else part for part in key.path)
    with pytest.raises(SettingsError) as caught:
        load(DEMO, {settings.variable(path): f"{CANARY}/{{}}", "TANDEM_LOG__LEVEL": CANARY})
    assert CANARY not in "".join(traceback.format_exception(caught.value))


# Files.


def test_an_absent_default_file_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings.load(environ={}) == Settings()


def test_the_default_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tandem.toml").write_text("kafka.partitions = 6")
    assert settings.load(environ={}).kafka.partitions == 6


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text("kafka.partitions = 3")
    assert settings.load(environ={"TANDEM_CONFIG": str(file)}).kafka.partitions == 3


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^TANDEM_CONFIG: names /.*/absent.toml, which does not exist"
    ):
        settings.load(environ={"TANDEM_CONFIG": str(tmp_path / "absent.toml")})


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^the settings file: cannot be read \(it is a directory\)"
    ):
        settings.load(tmp_path, {})


def test_os_environ_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TANDEM_KAFKA__PARTITIONS", "5")
    assert settings.load().kafka.partitions == 5


# The environment.


def test_the_environment_wins_over_the_file(load: Loader) -> None:
    read = load(
        DEMO + "order.import.status = 'not_paid'\n[kafka]\npartitions = 6\nreplication = 3",
        {
            "TANDEM_KAFKA__PARTITIONS": "24",
            "TANDEM_TENANTS__DEMO__ORDER__IMPORT__STATUS": "paid_offline",
            "TANDEM_TENANTS__DEMO__COUNTRY__DEFAULT": "NO",
            "TANDEM_SLOT": "1/3",
            "TANDEM_HOST": "0.0.0.0",
        },
    )
    demo = read.tenants["demo"]
    assert (read.kafka.partitions, read.kafka.replication, read.slot, read.host) == (
        24,
        3,
        (1, 3),
        "0.0.0.0",
    )
    assert (demo.order.import_status, demo.country_default) == ("paid_offline", "NO")


def test_a_tenant_can_stand_in_the_environment_alone(load: Loader) -> None:
    prefix = "TANDEM_TENANTS__DEMO__"
    read = load(
        "", {f"{prefix}CHARGEBEE__SITE": "acme", f"{prefix}POWEROFFICE__ENVIRONMENT": "demo"}
    )
    assert read.tenants["demo"].chargebee.site == "acme"


def test_a_tenant_name_may_hold_two_underscores(load: Loader) -> None:
    toml = DEMO + '[tenants.demo__two]\nchargebee.site = "b"\npoweroffice.environment = "demo"'
    second = {name.replace("DEMO", "DEMO__TWO"): "two" for name in SECRETS}
    read = load(toml, second)
    assert read.tenants["demo__two"].chargebee.api_key.get_secret_value() == "two"
    assert read.tenants["demo"].chargebee.api_key.get_secret_value() == f"{CANARY}-1"


def test_a_secret_is_read_from_its_file_without_the_line_break(
    load: Loader, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("from-file\n")
    read = load(DEMO, {API_KEY: "", f"{API_KEY}_FILE": str(tmp_path / "key")})
    assert read.tenants["demo"].chargebee.api_key == SecretStr("from-file")


def test_an_empty_secret_file_is_a_fault(load: Loader, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    text = load.fails(DEMO, {API_KEY: "", f"{API_KEY}_FILE": str(tmp_path / "key")})
    wrong = f"the file that {API_KEY}_FILE names is empty; write the secret into it"
    assert text == f"tenants.demo.chargebee.api_key: {wrong}"


@pytest.mark.parametrize(
    "name", ["TANDEM_PORT", "TANDEM_SERVICE_HOST", "TANDEM_PORT_8080_TCP", "TANDEMX__A"]
)
def test_flat_variables_of_others_are_left_alone(load: Loader, name: str) -> None:
    assert load(DEMO, {name: "tcp://10.0.0.1:8080"}) == load(DEMO)


def test_a_nearly_right_flat_variable_is_a_fault(load: Loader) -> None:
    assert load.fails(DEMO, {"TANDEM_SLOTS": "0/2"}) == (
        "slots: is an unknown key (from TANDEM_SLOTS); did you mean TANDEM_SLOT?"
    )


def test_tables_come_from_the_environment_whole_or_by_key(load: Loader) -> None:
    read = load(
        DEMO,
        {
            "TANDEM_TENANTS__DEMO__OWNER__CUSTOMER__EMAIL": "poweroffice",
            "TANDEM_TENANTS__DEMO__PRODUCT__GROUPS": json.dumps({"Hosting.NO": 10}),
        },
    )
    assert read.tenants["demo"].owner == {"customer.email": "poweroffice"}
    assert read.tenants["demo"].product.groups == {"Hosting.NO": "10"}


# What the settings mean.


def owner_of(held: Tenant, entity: EntityName, name: str, product_kind: str = "plan") -> str:
    """Who wins a conflict over this field."""
    side = Side(id="1", version="1", seen={"kind": product_kind})
    return owner(policy_of(held), Link(tenant="demo", entity=entity, key="1", chargebee=side), name)


def test_owner_keys_with_a_dot_are_quoted(load: Loader) -> None:
    demo = load(
        DEMO + '[tenants.demo.owner]\ncustomer = "poweroffice"\n"customer.email" = "chargebee"'
    ).tenants["demo"]
    assert owner_of(demo, "customer", "phone") == "poweroffice"
    assert owner_of(demo, "customer", "email") == "chargebee"
    assert owner_of(demo, "order", "order_date") == "chargebee"


def test_charges_belong_to_go_unless_said_otherwise() -> None:
    assert owner_of(tenant(), "product", "price", "charge") == "poweroffice"
    assert owner_of(tenant(), "product", "price", "plan") == "chargebee"
    assert (
        owner_of(tenant(owner={"product": "chargebee"}), "product", "price", "charge")
        == "chargebee"
    )


def test_an_owner_key_is_refused_exactly_where_no_owner_decides_what_is_written() -> None:
    """Both sides changed a field, or held other values when they were first linked: does the owner
    matter?"""
    for entity in ENTITIES:
        for name in FIELDS[entity]:
            merged = [
                _merged(entity, name, winner, first=first)
                for first in (False, True)
                for winner in SYSTEMS
            ]
            matters = merged[0] != merged[1] or merged[2] != merged[3]
            accepted = True
            try:
                tenant(owner={f"{entity}.{name}": "poweroffice"})
            except ValidationError:
                accepted = False
            assert accepted == matters, (entity, name)


def _merged(entity: EntityName, name: str, winner: System, *, first: bool) -> tuple[Any, Any]:
    """What is written, and the link afterwards, where the two sides hold other values and `winner`
    owns the field."""
    values = (
        (True, False)
        if name in ("archived", "vat_exempt")
        else ({"city": "A", "zip": "1"}, {"city": "B", "zip": "2"})
    )
    ours, theirs = ({name: value, "kind": "charge"} for value in values)
    changed: dict[str, Any] = {"unset": [name]} if first else {"base": {name: None}}
    link = Link(
        tenant="demo",
        entity=entity,
        key="1",
        chargebee=Side(id="1", version="1", seen=ours, **copy.deepcopy(changed)),
        poweroffice=Side(id="1", version="1", seen=theirs, **copy.deepcopy(changed)),
    )
    archives = {"customer": {"to_poweroffice": "archive"}, "product": {"to_poweroffice": "archive"}}
    held = tenant(
        first_link={"differences": "owner"},
        delete=archives,
        order={"delivery_date": {"to_chargebee": True}},
    )
    policy = dataclasses.replace(policy_of(held), owner={f"{entity}.{name}": winner})
    return merge.merge(policy, link).writes, msgspec.to_builtins((link.chargebee, link.poweroffice))


def test_a_tenant_observes_until_all_decisions_are_made(load: Loader) -> None:
    undecided = load(DEMO + 'mode = "sync"').tenants["demo"]
    assert undecided.missing_decisions() == [
        "invoicing.by",
        "start.orders",
        "create.order.to_chargebee",
        "chargebee.prices",
    ]
    assert undecided.effective_mode == "observe"
    decided = load(DEMO + DECIDED).tenants["demo"]
    assert decided.missing_decisions() == []
    assert decided.effective_mode == "sync"
    assert decided.start.orders == date(2026, 1, 1)
    assert decided.create.order.to_chargebee is False


def test_decided_tenants_still_observe_when_told_to(load: Loader) -> None:
    assert (
        load(DEMO + DECIDED.replace("sync", "observe")).tenants["demo"].effective_mode == "observe"
    )


def test_partitions_and_slots() -> None:
    three = {"demo": tenant(), "acme": tenant(partition=3), "beta": tenant(partition=3)}
    read = Settings(tenants=three)
    # The CRC-32 of "demo" is 3594706848; its remainder by 12 is 0.
    assert [read.partition_of(name) for name in three] == [0, 3, 3]
    assert read.my_partitions() == [0, 3]
    assert Settings(tenants=three, slot=(0, 2)).my_partitions() == [0]
    assert Settings(tenants=three, slot=(1, 2)).my_partitions() == [3]
    with pytest.raises(KeyError):
        read.partition_of("absent")


def test_addresses() -> None:
    cloud = tenant()
    assert cloud.chargebee.api_url == "https://acme.chargebee.com/api/v2"
    assert cloud.poweroffice.api_url == "https://goapi.poweroffice.net/Demo/v2"
    assert cloud.poweroffice.token_endpoint == "https://goapi.poweroffice.net/Demo/OAuth/Token"
    live = tenant(poweroffice={"environment": "production"}).poweroffice
    assert live.api_url == "https://goapi.poweroffice.net/v2"
    assert live.token_endpoint == "https://goapi.poweroffice.net/OAuth/Token"
    own = {
        "environment": None,
        "base_url": "http://127.0.0.1:8702/v2/",
        "token_url": "http://127.0.0.1:8702/t",
    }
    local = tenant(
        chargebee={"site": None, "base_url": "http://127.0.0.1:8701/api/v2/"}, poweroffice=own
    )
    assert local.chargebee.api_url == "http://127.0.0.1:8701/api/v2"
    assert local.poweroffice.api_url == "http://127.0.0.1:8702/v2"
    assert local.poweroffice.token_endpoint == "http://127.0.0.1:8702/t"


def test_the_demo_may_run_faster_than_the_defaults() -> None:
    fast = tenant(
        chargebee={"list_lag_s": 0, "requests_per_minute": 1000},
        poweroffice={"poll_min_s": 0.5, "poll_max_s": 0.5, "sweep_s": 5},
        breaker={"first_backfill": "release"},
    )
    assert (fast.chargebee.list_lag_s, fast.poweroffice.poll_min_s, fast.poweroffice.sweep_s) == (
        0,
        0.5,
        5,
    )


def test_thresholds_have_their_own_defaults() -> None:
    breaker = tenant(breaker={"deletes": {"percent": 3}}).breaker
    assert (breaker.deletes.at_least, breaker.deletes.percent) == (10, 3)
    assert (breaker.changes.at_least, breaker.changes.percent) == (25, 10)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        tenant().mode = "sync"


def test_fractions_stay_decimal(load: Loader) -> None:
    assert load(DEMO + "product.vat_rate = 0.25").tenants["demo"].product.vat_rate == Decimal(
        "0.25"
    )


# The example and the documentation.


def example_text() -> str:
    return (ROOT / "tandem.example.toml").read_text(encoding="utf-8")


def example_environ() -> dict[str, str]:
    return {name.replace("DEMO", "ACME"): value for name, value in SECRETS.items()}


def at(data: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        data = data[part]
    return data


def named(path: tuple[str, ...]) -> tuple[str, ...]:
    """A path with the tenant and the person of the example."""
    return tuple({"tenants": "acme"}.get(path[0], "kari") if p == "*" else p for p in path)


def model_at(read: BaseModel, path: tuple[str, ...]) -> Any:
    value: Any = read.model_dump(by_alias=True)
    return at(value, path)


def copied(tmp_path: Path, text: str) -> Tenant:
    """The tenant of a settings file that began as the example."""
    (tmp_path / "tandem.toml").write_text(text, encoding="utf-8")
    return settings.load(tmp_path / "tandem.toml", example_environ()).tenants["acme"]


def test_a_copy_of_the_example_observes(tmp_path: Path) -> None:
    """Whatever its mode is set to, until somebody has decided."""
    for text in (example_text(), example_text().replace('mode = "observe"', 'mode = "sync"')):
        acme = copied(tmp_path, text)
        assert acme.missing_decisions() == list(settings.DECISIONS)
        assert acme.effective_mode == "observe"


def test_the_example_decides_where_its_marks_are_taken_away(tmp_path: Path) -> None:
    text = example_text().replace('mode = "observe"', 'mode = "sync"')
    for key in settings.DECISIONS:
        text = text.replace(f"\n#{key} = ", f"\n{key} = ")
    assert copied(tmp_path, text).effective_mode == "sync"


# Whose keys are read.


def test_only_the_keys_that_are_needed_are_read(load: Loader, tmp_path: Path) -> None:
    """The others' files are not opened and their values not held; with no need, none at all."""
    load.file.write_text(DEMO)
    for needs in ((), ("chargebee",), ("poweroffice",)):
        environ = {
            f"{name}_FILE": "/nowhere" for name in SECRETS if name.startswith("TANDEM_TENANTS")
        }
        for name in SECRETS:
            if any(f"__{system.upper()}__" in name for system in needs):
                del environ[f"{name}_FILE"]
                environ[name] = CANARY
        demo = settings.load(load.file, environ, needs=needs).tenants["demo"]  # type: ignore[arg-type]
        held = {"chargebee": demo.chargebee.api_key, "poweroffice": demo.poweroffice.client_key}
        found = {system for system, key in held.items() if key.get_secret_value() == CANARY}
        assert found == set(needs)
        assert all(held[system] is settings.NOT_HELD for system in held.keys() - found)


def test_a_name_is_checked_also_where_its_value_is_not_read(load: Loader) -> None:
    load.file.write_text(DEMO)
    with pytest.raises(
        SettingsError, match=r"did you mean TANDEM_TENANTS__DEMO__CHARGEBEE__API_KEY\?"
    ):
        settings.load(load.file, {"TANDEM_TENANTS__DEMO__CHARGEBEE__APIKEY": CANARY}, needs=())
    with pytest.raises(SettingsError, match=r"did you mean demo\?"):
        settings.load(load.file, {API_KEY.replace("DEMO", "DMEO"): CANARY}, needs=())


def test_the_example_shows_every_setting_with_its_default(load: Loader) -> None:
    everything = tomllib.loads(re.sub(r"^#(?=[\"a-z])", "", example_text(), flags=re.MULTILINE))
    acme = everything["tenants"]["acme"]
    shown = {
        key.path: at(everything, named(key.path)) for key in settings.every_key() if not key.secret
    }
    for alternative in (
        ("chargebee", "base_url"),
        ("poweroffice", "base_url"),
        ("poweroffice", "token_url"),
    ):
        del acme[alternative[0]][alternative[1]]
    everything_read = Settings.model_validate(
        everything | {"tenants": {"acme": with_secrets(acme)}}
    )
    decisions = {("tenants", "*", *key.split(".")) for key in settings.DECISIONS}
    for key in settings.every_key():
        default = key.info.default
        free = key.path in decisions or key.path[:2] == ("console", "users")
        if key.path in shown and not free and default not in (None, {}):
            path = named(key.path)
            assert model_at(everything_read, path) == default, settings.dotted(path)


def with_secrets(table: dict[str, Any]) -> dict[str, Any]:
    secrets = [key for key in settings.every_key() if key.secret and key.path[0] == "tenants"]
    for key in secrets:
        at(table, key.path[2:-1])[key.path[-1]] = "x"
    return table


def test_the_example_names_every_secret() -> None:
    for key in settings.every_key():
        if key.secret:
            name = settings.variable(tuple("acme" if part == "*" else part for part in key.path))
            assert re.search(rf"^#   {name}\b", example_text(), re.MULTILINE), name


def test_every_setting_says_what_it_means() -> None:
    assert [
        settings.dotted(key.path) for key in settings.every_key() if not key.info.description
    ] == []

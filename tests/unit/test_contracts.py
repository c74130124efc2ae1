"""The shared language: canonical values, wire forms, topics and their committed schemas."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import links, schema, topics
from contracts.entities import (
    ENTITIES,
    ENTITY_TYPES,
    FIELDS,
    Address,
    Customer,
    EntityName,
    Invoice,
    Line,
    Order,
    Price,
    Product,
    field_of,
    typed,
    typed_fields,
    wire,
)
from contracts.messages import Command, Flight, Link, Side, Write
from contracts.values import decimal, natural, organisation_number, text
from contracts.vendors import changed_at, code_for, own_chargebee_id, stamp_for_poweroffice


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("100.00", "100"),
        ("1E+2", "100"),
        ("0.50", "0.5"),
        ("-0", "0"),
        ("-1.20", "-1.2"),
        ("0.000001", "0.000001"),
    ],
)
def test_equal_amounts_have_equal_text(given_value: str, expected: str) -> None:
    """No exponent, no trailing zeros, no negative zero."""
    assert str(decimal(given_value)) == expected


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12
    )
)
def test_decimal_keeps_the_number(value: Decimal) -> None:
    """The canonical form is the same number, and is its own canonical form."""
    assert decimal(value) == value
    assert str(decimal(decimal(value))) == str(decimal(value))
    assert "E" not in str(decimal(value))


def test_not_a_number_is_refused() -> None:
    """A NaN never enters a message."""
    with pytest.raises(ValueError, match="finite"):
        decimal("NaN")


def test_text_is_trimmed_nfc_or_none() -> None:
    """Blank is None; decomposed letters are composed."""
    assert text("  ") is None
    assert text(None) is None
    assert text(" A\u030as ") == "\u00c5s"
    assert natural("  Kari   NORDMANN ") == "kari nordmann"


INVISIBLE = "\u200b\ufeff\u00ad\u200e\u200f\u202a\u202c\u2060\u2066\u2069\u061c\u200c\u200d"


@pytest.mark.parametrize("mark", INVISIBLE, ids=[f"{ord(each):04x}" for each in INVISIBLE])
@pytest.mark.parametrize("place", [0, 3, len("post@eksempel.no")])
def test_nobody_sees_it_so_it_is_not_there(mark: str, place: int) -> None:
    address = "post@eksempel.no"
    with_mark = address[:place] + mark + address[place:]
    assert text(with_mark) == address
    assert natural(with_mark.upper()) == address
    assert text(mark) is None


def test_joiners_stay_where_a_script_needs_them_and_never_make_a_difference() -> None:
    persian = "\u0646\u0627\u0645\u0647\u200c\u0647\u0627"
    assert text(f" {persian}\u200b") == persian
    assert natural(persian) == persian.replace("\u200c", "")
    assert text("\U0001f469\u200d\U0001f4bb") == "\U0001f469\u200d\U0001f4bb"


@given(st.text(alphabet="aA \u030a\u200b\u200c\u200d\u0646\u212b\u00a0\u00ad"))
def test_canonical_text_is_canonical_already(value: str) -> None:
    cleaned = text(value)
    assert text(cleaned) == cleaned
    assert natural(cleaned) == natural(value)


ORGANISATION_NUMBERS = [
    "923609016",
    "no923.609.016mva",
    "NO 923 609 016 MVA",
    "NO923609016MVA",
    "NO-923609016",
    "Org.nr. 923 609 016",
    "(NO) 923609016 MVA",
    "NO923609016-MVA",
    "923\u00a0609\u00a0016",
    "923\u2009609\u202f016",
    "923-609-016",
    "923\u2013609\u2013016",
    "\u200b923609016\ufeff",
    "923\u00ad609016",
    "Orgnr: 923609016",
    "Org. nr 923609016",
    "Organisasjonsnummer 923 609 016",
    "Foretaksregisteret 923 609 016 MVA",
    "NO:923609016",
    "Nordlys AS, 923609016",
    "Norway NO923609016",
    "MVA-nr. 923609016",
    "923609016 (Foretaksregisteret)",
    "NO923609016, NO 923 609 016 MVA",
    "Orgnr923609016",
]
NO_ORGANISATION_NUMBERS = [
    "",
    "NO",
    "923609017",
    "92360901",
    "12345678901",
    "SE556036079301",
    "SE923609016301",
    "923609016 001",
    "001-923609016",
    "DE923609016",
    "DE 923609016",
    "DE-923609016",
    "VAT DE 923609016",
    "GB 923 609 016",
    "EL923609016",
    "CHE-923.609.016",
    "CHE 923.609.016 MWST",
    "NL923609016B01",
    "923609016B01",
    "FRAB923609016",
    "PT.923609016",
    "+923609016",
    "tel 923609016",
    "\uff19\uff12\uff13\uff16\uff10\uff19\uff10\uff11\uff16",
    "923609016 eller 974760673",
]


@pytest.mark.parametrize("written", ORGANISATION_NUMBERS)
def test_a_norwegian_organisation_number_is_found_however_it_is_written(written: str) -> None:
    assert organisation_number(written) == "923609016"


@pytest.mark.parametrize("written", NO_ORGANISATION_NUMBERS)
def test_a_number_that_is_not_norwegian_is_none(written: str) -> None:
    assert organisation_number(written) is None
    assert organisation_number(None) is None


def test_stamps_fit_into_go() -> None:
    """Short ids stay readable, long ones become a hash of at most 50 characters."""
    assert stamp_for_poweroffice("17") == "cb-17"
    assert stamp_for_poweroffice("x" * 47) == "cb-" + "x" * 47
    assert len(stamp_for_poweroffice("x" * 48)) == 50
    assert stamp_for_poweroffice("x" * 48) != stamp_for_poweroffice("x" * 49)
    assert own_chargebee_id("12") == "go-12"
    assert code_for("a,b") == "a_b"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1795168800000", "2026-11-20T10:00:00+00:00"),
        ("1795168800000.00003590337500000", "2026-11-20T10:00:00+00:00"),
        ("2026-11-20T10:00:00.5000000Z#000000000001", "2026-11-20T10:00:00.500000+00:00"),
        ("9999999999999999999", None),
        ("", None),
        ("v1", None),
    ],
)
def test_when_a_record_changed_is_read_from_its_version(version: str, expected: str | None) -> None:
    when = changed_at(version)
    assert (when and when.isoformat()) == expected


def test_entities_survive_the_wire() -> None:
    """Amounts and dates travel as text and come back equal."""
    order = Order(
        customer_id="c1",
        currency="NOK",
        order_date=date(2026, 3, 29),
        invoice=Invoice(number="7", paid=True),
        lines=(
            Line(
                id="1",
                product_id="p",
                quantity=Decimal("2.5"),
                unit_price=Decimal("99.9"),
                net=Decimal(1),
            ),
        ),
        net=Decimal("249.75"),
        total=Decimal("312.19"),
    )
    data = wire(order)
    assert data["lines"][0]["quantity"] == "2.5"
    assert data["order_date"] == "2026-03-29"
    assert typed("order", data) == order
    customer = Customer(kind="person", first_name="Kari", address=Address(city="Oslo", zip="0150"))
    assert typed("customer", wire(customer)) == customer
    product = Product(name="Hjul", price=Price(amount=Decimal("1.5"), currency="NOK"))
    assert typed("product", wire(product)) == product


def test_fields_of_a_command_are_typed() -> None:
    """A wrong value names itself instead of reaching a vendor."""
    assert typed_fields("product", {"price": {"amount": "2", "currency": "NOK"}}) == {
        "price": Price(amount=Decimal(2), currency="NOK")
    }
    with pytest.raises(msgspec.ValidationError):
        typed_fields("customer", {"email": 7})


KARI = {"kind": "person", "first_name": "Kari", "phone": None, "address": {"city": "Oslo"}}


@pytest.mark.parametrize(
    ("theirs", "written"),
    [
        (KARI, {"unlike": {}}),
        (
            {**KARI, "phone": "+47 1", "address": None},
            {"unlike": {"phone": "+47 1", "address": None}},
        ),
        ({"kind": "person"}, {"seen": {"kind": "person"}}),
        (None, {}),
    ],
)
def test_a_link_is_written_with_the_content_of_a_pair_once(
    theirs: dict[str, Any] | None, written: Any
) -> None:
    """Of Go's side only what differs, as long as both hold the same fields; readers see whole
    sides."""
    link = Link(
        tenant="t",
        entity="customer",
        key="kari",
        chargebee=Side(id="kari", version="1", seen=KARI),
        poweroffice=Side(id="5", version="2", seen=theirs),
    )
    value = links.encode(link)
    held = msgspec.json.decode(value)
    assert held["chargebee"]["seen"] == KARI
    assert held["poweroffice"] == {"id": "5", "version": "2", **written}
    assert link.poweroffice is not None and link.poweroffice.seen == theirs
    assert msgspec.json.decode(value, type=Link) == link


def test_links_written_whole_are_read_too() -> None:
    """As every link with one side is."""
    link = Link(
        tenant="t",
        entity="customer",
        key="kari",
        chargebee=Side(id="kari", version="1", seen=KARI),
        poweroffice=Side(id="5", version="2", seen=KARI),
    )
    assert msgspec.json.decode(msgspec.json.encode(link), type=Link) == link
    alone = Link(
        tenant="t", entity="customer", key="go-5", poweroffice=Side(id="5", version="2", seen=KARI)
    )
    assert msgspec.json.decode(links.encode(alone), type=Link) == alone


def _line(number: int, product: str, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "product_id": product,
        "description": f"Linje {number} " + "x" * 80,
        **more,
    }


OURS = [_line(number, "hjul") for number in range(3)]
THEIRS = [{**line, "id": f"g{line['id']}", "product_id": "7"} for line in OURS]


def full_order(**more: Any) -> Link:
    """A link of an order that holds lines wherever one can."""
    command = Command(
        tenant="t",
        entity="order",
        link="900",
        seq=2,
        target="poweroffice",
        op="update",
        lane="live",
        cause="c",
        fields={"lines": THEIRS, "purchase_order": "x"},
        expected={"lines": OURS[:2]},
    )
    write = Write(planned="0", returned="1", expected={"lines": OURS, "status": None})
    ours = Side(
        id="900",
        version="1",
        seen={"status": "draft", "lines": OURS},
        base={"lines": [*OURS, _line(3, "sadel")]},
        writes=[write],
    )
    theirs = Side(
        id="u-1", version="2", seen={"status": "sent", "lines": THEIRS}, remapped={"lines": []}
    )
    facts = {
        "chargebee": ours,
        "poweroffice": theirs,
        "plan": command,
        "flight": Flight(
            command=command, planned={"lines": OURS}, during=[("3", {"lines": THEIRS})]
        ),
    }
    return Link(tenant="t", entity="order", key="900", **{**facts, **more})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"chargebee": None},
        {"poweroffice": None},
        {"flight": None, "plan": None},
        {"chargebee": Side(id="900", version="1", seen={"status": "draft", "lines": []})},
        {"chargebee": Side(id="900", version="1", seen={"lines": [{"id": "1"}, *OURS[1:]]})},
        {"chargebee": Side(id="900", version="1")},
    ],
)
def test_a_link_holds_the_lines_of_an_order_once(more: dict[str, Any]) -> None:
    """Whoever reads it finds them everywhere; the link itself is not changed by being written."""
    link, as_it_was = full_order(**more), full_order(**more)
    value = links.encode(link)
    assert link == as_it_was
    assert msgspec.json.decode(value, type=Link) == link
    assert links.encode(msgspec.json.decode(value, type=Link)) == value
    assert (
        msgspec.json.decode(msgspec.json.encode(link), type=Link) == link
    )  # as the release before wrote it


def test_the_lines_of_a_full_link_take_the_room_of_one() -> None:
    """Ids and products of the other side, and the line that one base has more, are all that is
    added."""
    value = links.encode(full_order())
    assert value.count(b"Linje 1 ") == 1
    assert msgspec.json.decode(value)["unlike_lines"]["poweroffice.unlike"][0] == {
        "id": "g0",
        "product_id": "7",
    }


def test_a_tenant_has_one_partition_everywhere() -> None:
    """crc32 of the name, so that every topic agrees; the value is pinned here."""
    assert topics.partition_of("demo", 12) == 0
    assert topics.record_key("demo", "chargebee", "17") == b"demo/chargebee/17"


@pytest.mark.parametrize("name", sorted(schema.TYPES))
def test_no_message_requires_a_field_that_it_did_not_require_before(name: str) -> None:
    """Evolution: fields may be added with defaults; these are the only required ones, for ever."""
    definition = schema.schema(name)["$defs"]
    required = {key: sorted(value.get("required", [])) for key, value in definition.items()}
    assert required["".join(map(str.capitalize, name.split("_")))] == sorted(REQUIRED[name])


REQUIRED = {
    "customer": ["kind"],
    "product": [],
    "order": [],
    "observed": ["type", "tenant", "system", "entity", "id", "version", "mapping", "observed_at"],
    "snapshot_completed": [
        "type",
        "tenant",
        "system",
        "entity",
        "snapshot",
        "records",
        "completed_at",
    ],
    "reading": ["type", "run", "record"],
    "reading_completed": ["type", "run", "tenant", "system", "entity", "records", "completed_at"],
    "command": ["type", "tenant", "entity", "link", "seq", "target", "op", "lane", "cause"],
    "outcome": ["type", "tenant", "entity", "link", "seq", "target", "result", "at"],
    "link": ["tenant", "entity", "key"],
    "journal_entry": ["type", "tenant", "entity", "link", "entry", "at", "rule", "text", "cause"],
    "signal": ["type", "tenant", "id", "kind", "at"],
    "control": ["type", "tenant", "kind", "id", "at"],
    "cursor": ["type", "tenant", "system", "entity", "at"],
    "dead_letter": ["type", "reason", "at", "topic"],
    "heartbeat": ["type", "service", "slot", "version", "prefix", "since", "at", "beat"],
}


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_row_is_of_a_field_that_the_struct_has(entity: EntityName) -> None:
    """A row names a field once, and each system's mapping reads it into the struct."""
    names = [field_of(entity, name).name for name in FIELDS[entity]]
    assert names == list(FIELDS[entity])
    assert len(set(names)) == len(names)
    assert set(names) <= set(ENTITY_TYPES[entity].__struct_fields__)

"""Contact persons of customers; a change here never moves the customer's time of change."""

from __future__ import annotations

from simulators.poweroffice import query
from simulators.poweroffice.errors import Invalid, NotFound
from simulators.poweroffice.fields import Record
from simulators.poweroffice.http import Call, Reply, json_body, posted
from simulators.poweroffice.patch import patched
from simulators.poweroffice.state import Go
from simulators.poweroffice.tables_contacts import CONTACT_PERSON

KIND = "Contact person"


def list_persons(go: Go, call: Call) -> Reply:
    contacts = query.id_list(call, "contactIds")
    tests = [
        *query.later_than(
            call, "lastChangedDateTimeOffsetGreaterThan", "LastChangedDateTimeOffset"
        ),
        *query.later_than(call, "createdDateTimeOffsetGreaterThan", "CreatedDateTimeOffset"),
        *query.texts(call, "externalCodes", "ExternalCode"),
    ]
    if contacts is not None:
        tests.append(lambda record: record["ContactId"] in contacts)
    rows = go.contact_persons.seen_rows()
    return query.listing(call, go.settings, CONTACT_PERSON, rows, tests, "/ContactPersons")


def get_person(go: Go, call: Call) -> Reply:
    return Reply(200, CONTACT_PERSON.dto(_found(call, go.contact_persons.seen(call.int_id()))))


def create_person(go: Go, call: Call) -> Reply:
    contact_id = call.int_id("contactId")
    if contact_id not in go.customers:
        raise NotFound("Contact", contact_id)
    values = posted(
        CONTACT_PERSON, json_body(call), refuse_unknown=go.settings.refuse_unknown_properties
    )
    record = CONTACT_PERSON.blank() | values
    _check(go, record)
    address = record["MailAddress"]
    if address is not None and not (address["City"] and address["ZipCode"]):
        raise Invalid(KIND, "MailAddress: City and ZipCode are required.")
    now = go.clock.stamp()
    record |= {
        "Id": go.next_number("contact person"),
        "ContactId": contact_id,
        "CreatedDateTimeOffset": now,
        "LastChangedDateTimeOffset": now,
    }
    go.contact_persons.put(record["Id"], record)
    return Reply(201, CONTACT_PERSON.dto(record), changed=True)


def patch_person(go: Go, call: Call) -> Reply:
    before = _found(call, go.contact_persons.get(call.int_id()))
    change = patched(call, go.settings, CONTACT_PERSON, before)
    record = before | change.values
    _check(go, record)
    bumps = bool(change.values if go.settings.noop_patch_bumps else change.changed)
    if bumps:
        record["LastChangedDateTimeOffset"] = go.clock.stamp()
        go.contact_persons.put(record["Id"], record)
    return Reply(200, CONTACT_PERSON.dto(record), changed=bumps)


def delete_person(go: Go, call: Call) -> Reply:
    go.contact_persons.remove(_found(call, go.contact_persons.get(call.int_id()))["Id"])
    return Reply(200, changed=True)


def _found(call: Call, record: Record | None) -> Record:
    if record is None or record["ContactId"] != call.int_id("contactId"):
        raise NotFound(KIND, call.int_id())
    return record


def _check(go: Go, record: Record) -> None:
    for name in ("FirstName", "LastName"):
        if not (record[name] or "").strip():
            raise Invalid(KIND, f"{name} is required.")
    other = go.contact_persons.find("ExternalCode", record["ExternalCode"])
    if other is not None and other["Id"] != record["Id"]:
        code = record["ExternalCode"]
        raise Invalid(KIND, f"ExternalCode '{code}' is already in use on Id = {other['Id']}.")

"""What the linker must know of the two vendors: what each can do, how its records refer to their
other half, and what its versions look like. Pure.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from contracts.entities import System

REFERENCE_MAX = 50  # of Go's ExternalImportReference (Go OpenAPI, CustomerDto)
INVOICE_PREFIX = "inv-"
HASHED = "cb-#"  # begins a reference that holds a hash in place of an id


@dataclass(frozen=True)
class Capabilities:
    """What a vendor's API can do.

    `carries` begins the references that its own records carry to the other system. `guards_writes`
    says that a write is refused where the record has changed since it was read: Go takes `test`
    operations with a patch. Chargebee has no precondition, so that a request of a process that was
    killed may still come, over newer values.
    """

    carries: str
    guards_writes: bool


CAPABILITIES: dict[System, Capabilities] = {
    "chargebee": Capabilities(carries="go-", guards_writes=False),
    "poweroffice": Capabilities(carries="cb-", guards_writes=True),
}

# -- references


class Reference(NamedTuple):
    """What a record carries to the other system: the text, and the id of the record that it names,
    None where the id is hashed."""

    text: str
    id: str | None


def reference_of(system: System, stamp: str | None) -> Reference | None:
    """The reference that a record of `system` carries, None where the stamp is not of ours."""
    prefix = CAPABILITIES[system].carries
    if stamp is None or not stamp.startswith(prefix):
        return None
    return Reference(stamp, None if stamp.startswith(HASHED) else stamp[len(prefix) :])


def reference_to(system: System, record_id: str) -> str:
    """The reference that the other system's record carries to a record of `system`."""
    if system == "chargebee":
        return stamp_for_poweroffice(record_id)
    return own_chargebee_id(record_id)


def stamp_for_poweroffice(chargebee_id: str) -> str:
    """The reference written into Go for a Chargebee record: `cb-<id>`, or a hash where the id is
    longer than 47.

    The prefix keeps ids such as "17" from colliding with the references of other integrations.
    """
    prefix = CAPABILITIES["poweroffice"].carries
    if len(chargebee_id) <= REFERENCE_MAX - len(prefix) and not chargebee_id.startswith("#"):
        return f"{prefix}{chargebee_id}"
    hashed = hashlib.sha256(chargebee_id.encode()).hexdigest()
    return HASHED + hashed[: REFERENCE_MAX - len(HASHED)]


def own_chargebee_id(poweroffice_id: str) -> str:
    """The id under which a record born in Go is created in Chargebee: `go-<Go Id>`."""
    return f"{CAPABILITIES['chargebee'].carries}{poweroffice_id}"


def invoice_order_id(invoice_id: str) -> str:
    """The id of the order that an invoice of Chargebee is under `order.source = invoices`:
    `inv-<invoice id>`, since orders and invoices are both numbered 1, 2, 3."""
    return f"{INVOICE_PREFIX}{invoice_id}"


def invoice_id_of(order_id: str) -> str | None:
    """The invoice's own id, None where the order is none of those."""
    return order_id.removeprefix(INVOICE_PREFIX) if order_id.startswith(INVOICE_PREFIX) else None


def code_for(item_id: str) -> str:
    """The Go product code of a Chargebee item id; a comma would split Go's `codes` filter."""
    return item_id.replace(",", "_")


# -- versions


def vendor_part(version: str) -> str:
    """The part of a version that is the vendor's own; Go's adapter numbers its readings after
    it."""
    return version.partition("#")[0]


def has_moved(since: str | None, version: str | None) -> bool:
    """Whether a record was changed since a version; False where either is not known. Being read
    again is no change."""
    return bool(since and version) and vendor_part(since or "") != vendor_part(version or "")


def changed_at(version: str) -> datetime | None:
    """When a record was last changed, from its version: Chargebee counts milliseconds, and of a
    product or an order those of its newest part come first; Go gives a time. None where it is
    neither."""
    moment = vendor_part(version)
    newest = moment.partition(".")[0]
    try:
        if newest.isdigit():
            return datetime.fromtimestamp(int(newest) / 1000, UTC)
        return datetime.fromisoformat(moment)
    except (ValueError, OverflowError, OSError):
        return None

"""Which of our fields a refusal of Go is about, and whether the rest can be written without it.
Pure."""

import re
from collections.abc import Collection

from contracts.messages import Problem
from contracts.said import say
from runtime.vendor import NotFound, Refused

# Our fields by the properties that Go's words name.
_FIELDS: dict[str, str] = {
    "EmailAddress": "email",
    "OrganizationNumber": "organisation_number",
    "PhoneNumber": "phone",
    "MailAddress": "address",
    "AddressLine1": "address",
    "AddressLine2": "address",
    "City": "address",
    "ZipCode": "address",
    "CountryCode": "address",
    "CurrencyCode": "currency",
    "FirstName": "first_name",
    "LastName": "last_name",
    "ProductGroup": "group",
    "Description": "description",
    "UnitOfMeasureCode": "unit",
    "UnitPrice": "price",
    "CustomerId": "customer_id",
    "ProductId": "lines",
    "SalesOrderDate": "order_date",
    "DeliveryDate": "delivery_date",
    "PurchaseOrderReference": "purchase_order",
    "IsArchived": "archived",
}
# A property stands alone: InvoiceEmailAddress is not EmailAddress.
_NAMED = re.compile(rf"(?<![A-Za-z])({'|'.join(_FIELDS)})(?![a-z])")


def fields_named(error: Refused) -> list[str]:
    """Our fields that Go's words name, each once, in the order of the words."""
    return list(dict.fromkeys(_FIELDS[word] for word in _NAMED.findall(error.message)))


def with_field(error: Refused) -> Refused:
    """Name the field that Go's words are about, where they tell."""
    if error.field is None:
        error.field = next(iter(fields_named(error)), None)
    return error


def held_back(
    error: Refused, optional: Collection[str], written: Collection[str]
) -> dict[str, Problem]:
    """The one field that a 400 names, with Go's words, where the others can be written without it;
    else nothing."""
    named = fields_named(error)
    if (
        error.status != 400
        or len(named) != 1
        or named[0] not in written
        or named[0] not in optional
    ):
        return {}
    said = say("go_refuses", why=error.message)
    return {named[0]: Problem.of("refused", said, named[0])}


def of_reference(error: Refused) -> Refused:
    """The record was just read, so a 404 for its PATCH is about something it refers to."""
    if isinstance(error, NotFound):
        return Refused("reference_not_found", error.message, field=error.field, status=error.status)
    return error

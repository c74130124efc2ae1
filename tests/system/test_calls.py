"""What an edit costs each vendor in requests, with the real services between the simulators."""

from benchmarks.calls import KINDS, SWEPT, counted

# Reads and writes of Chargebee, reads and writes of Go.
EXPECTED = {
    "customer from chargebee: creation": (0, 0, 0, 1),
    "customer from chargebee: phone": (0, 0, 0, 1),
    "customer from chargebee: address": (0, 0, 0, 1),
    "customer from chargebee: deletion": (0, 0, 0, 1),
    "customer from poweroffice: creation": (1, 1, 0, 0),  # the look for twins
    "customer from poweroffice: phone": (1, 1, 0, 0),
    "customer from poweroffice: phone and address": (1, 2, 0, 0),
    "product from chargebee: creation": (2, 0, 0, 1),
    "product from chargebee: name": (2, 0, 0, 1),
    "product from chargebee: price": (2, 0, 0, 1),
    "product from chargebee: archived": (2, 0, 0, 1),
    "product from poweroffice: creation, the first": (3, 3, 0, 0),  # the family of items
    "product from poweroffice: creation": (2, 2, 0, 0),  # the look for twins: by code and by name
    "product from poweroffice: description": (1, 1, 0, 0),
    "product from poweroffice: price": (1, 1, 0, 0),
    "product from poweroffice: name and price": (2, 2, 0, 0),
    "product from poweroffice: archived": (1, 1, 0, 0),
    "order from chargebee: creation": (1, 0, 0, 1),
    "order from chargebee: shipping date": (1, 0, 1, 1),
    "order from chargebee: cancellation": (2, 0, 1, 1),
    "order from poweroffice: order date of a draft": (3, 1, 1, 0),
}
# How many readings see a record is up to the moment: an address moves no time in Go, so a second
# look confirms it unless its own poll did; the invoice and the order of an import have a webhook
# for each step, which read the invoice.
AT_MOST = {
    "customer from poweroffice: address": (1, 1, 1, 0),
    "order from poweroffice: creation, imported whole": (4, 2, 1, 0),
    "order from poweroffice: creation, Chargebee makes the order": (4, 2, 1, 0),
}


def test_every_kind_of_edit_costs_what_it_must(kafka: str) -> None:
    rows = {row.name: row for row in counted(kafka)}
    assert len(rows) == len(KINDS) + len(SWEPT)
    exact = {name: row.counts for name, row in rows.items() if name not in AT_MOST}
    assert exact == EXPECTED, rows
    for name, most in AT_MOST.items():
        found = rows[name].counts
        assert all(here <= limit for here, limit in zip(found, most, strict=True)), rows[name]
        assert (found[1], found[3]) == (most[1], most[3]), rows[name]

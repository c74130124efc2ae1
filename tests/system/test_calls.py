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
    "customer from poweroffice: address": (1, 1, 1, 0),  # Go's row is confirmed by a second read
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
    "order from poweroffice: creation, imported whole": (4, 2, 1, 0),
    "order from poweroffice: creation, Chargebee makes the order": (3, 2, 1, 0),
}
# An event that overtakes the reply to our write, or the edit after it, has its record read once
# more: a product of Chargebee by two requests, a record of Go by one. That is up to the moment;
# what a command itself asks is held exactly in tests/contract.
ONCE_MORE = (2, 0, 1, 0)


def test_every_kind_of_edit_costs_what_it_must(kafka: str) -> None:
    rows = {row.name: row for row in counted(kafka)}
    assert rows.keys() == EXPECTED.keys()
    assert len(rows) == len(KINDS) + len(SWEPT)
    for name, row in rows.items():
        most = [each + more for each, more in zip(EXPECTED[name], ONCE_MORE, strict=True)]
        assert all(here <= limit for here, limit in zip(row.counts, most, strict=True)), row
        assert row.counts[1::2] == EXPECTED[name][1::2], row

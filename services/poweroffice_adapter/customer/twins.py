"""Whether a customer of Go is what a create would make a second time. Pure.

The rules are those by which the linker matches records: the organisation number of a company, else
e-mail, name and kind.
"""

from contracts.entities import Customer
from contracts.values import natural, organisation_number


def has_marks(ours: Customer) -> bool:
    """Whether a customer holds anything by which a twin would be recognised."""
    return bool(_number(ours) or natural(ours.email))


def same_customer(ours: Customer, seen: Customer) -> bool:
    """Whether the customer to be created is the one that Go holds."""
    numbers = {_number(ours), _number(seen)} - {None}
    if len(numbers) == 1 and _number(ours) == _number(seen):
        return True
    email = natural(ours.email)
    alike = ours.kind == seen.kind and _name(ours) == _name(seen)
    return email is not None and email == natural(seen.email) and alike and len(numbers) < 2


def _number(party: Customer) -> str | None:
    return organisation_number(party.organisation_number) if party.kind == "company" else None


def _name(party: Customer) -> str | None:
    if party.kind == "company":
        return natural(party.company)
    return natural(" ".join(filter(None, (party.first_name, party.last_name))))

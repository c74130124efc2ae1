"""The filters of Records that people have saved, each under a name of the person's own.

A filter is the query of an address: an entity and a state. The words of a search are no part of it,
since they may name a person and would stay when that record is forgotten. They are kept in a file
beside the read model, so that they are there after a restart; who deletes the file deletes them.
"""

from pathlib import Path
from urllib.parse import urlencode

import msgspec

from contracts.entities import EntityName
from contracts.messages import LinkState
from contracts.said import say
from services.console.base import Unfit
from services.console.web.kept import KeptFile

NAME = "filters.json"
NAME_MAX, FILTERS_MAX = 60, 30  # characters; of one person and tenant


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter; without entity or state, all of them."""

    name: str
    entity: EntityName | None = None
    state: LinkState | None = None

    @property
    def query(self) -> str:
        """The query of its address."""
        held = {"entity": self.entity, "state": self.state}
        return urlencode({name: value for name, value in held.items() if value})


_Held = dict[str, dict[str, list[Filter]]]  # by person and tenant
_decoder = msgspec.json.Decoder(_Held)


class Filters:
    """The file of one installation."""

    def __init__(self, directory: Path) -> None:
        self._file = KeptFile(directory / NAME, _decoder)

    def of(self, person: str, tenant: str) -> list[Filter]:
        """A person's filters, by name."""
        return self._file.read().get(person, {}).get(tenant, [])

    def keep(self, person: str, tenant: str, kept: Filter) -> None:
        """Save a filter, in place of one of that name. Raises Unfit where a person has too many, or
        it has no name, and Unwritable."""
        if not 0 < len(kept.name) <= NAME_MAX:
            raise Unfit(say("filter_name", most=NAME_MAX))
        others = [each for each in self.of(person, tenant) if each.name != kept.name]
        if len(others) >= FILTERS_MAX:
            raise Unfit(say("filter_many", most=FILTERS_MAX))
        self._write(person, tenant, sorted([*others, kept], key=lambda each: each.name.casefold()))

    def drop(self, person: str, tenant: str, name: str) -> None:
        """Delete the filter of this name, if there is one. Raises Unwritable."""
        left = [each for each in self.of(person, tenant) if each.name != name]
        self._write(person, tenant, left)

    def _write(self, person: str, tenant: str, filters: list[Filter]) -> None:
        held = self._file.read()
        held.setdefault(person, {})[tenant] = filters
        self._file.write(held)

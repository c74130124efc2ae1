"""Where the links of a tenant are looked up by those who show them: in the read model, or among
links held already."""

from collections.abc import Sequence
from typing import Protocol

from contracts.entities import EntityName, System
from contracts.messages import Link
from services.console.model import ReadModel
from services.console.model_rows import side_of


class Known(Protocol):
    """The links of one tenant."""

    def link(self, entity: EntityName, key: str) -> Link | None:
        """The link with this key."""

    def holder(self, entity: EntityName, system: System, record_id: str) -> Link | None:
        """The link that holds a vendor's record."""


class KnownByModel:
    """Looks into the read model: one row for each question, however many links there are."""

    def __init__(self, model: ReadModel, tenant: str) -> None:
        self._model, self._tenant = model, tenant

    def link(self, entity: EntityName, key: str) -> Link | None:
        return self._model.link(self._tenant, entity, key)

    def holder(self, entity: EntityName, system: System, record_id: str) -> Link | None:
        return self._model.link_of(self._tenant, entity, system, record_id)


class KnownLinks:
    """Links that are held already. The index of an entity is made at the first question about
    it."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = links
        self._keys: dict[EntityName, dict[str, Link]] = {}
        self._records: dict[tuple[EntityName, System], dict[str, Link]] = {}

    def link(self, entity: EntityName, key: str) -> Link | None:
        if entity not in self._keys:
            self._keys[entity] = {each.key: each for each in self._links if each.entity == entity}
        return self._keys[entity].get(key)

    def holder(self, entity: EntityName, system: System, record_id: str) -> Link | None:
        if (entity, system) not in self._records:
            mine = ((side_of(each, system), each) for each in self._links if each.entity == entity)
            self._records[entity, system] = {
                side.id: each for side, each in mine if side is not None
            }
        return self._records[entity, system].get(record_id)

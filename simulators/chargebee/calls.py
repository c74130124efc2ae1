"""What an operation gets: the site, the decoded request and the caller."""

from dataclasses import dataclass, field
from typing import Any

from simulators.chargebee.errors import not_found
from simulators.chargebee.params import Nested
from simulators.chargebee.site import Actor, Row, Site, Table, shown


@dataclass(frozen=True, slots=True)
class Call:
    """One request to one operation. `path_ids` are the ids in the path, from left to right."""

    site: Site
    params: Nested = field(default_factory=dict)
    path_ids: tuple[str, ...] = ()
    actor: Actor = field(default_factory=Actor)

    @property
    def id(self) -> str:
        return self.path_ids[0]

    def table(self, kind: str) -> Table:
        return self.site.tables[kind]

    def current(self, kind: str) -> Row:
        """The row that the path names; 404 when it is unknown."""
        return self.table(kind).get(self.id)

    def live(self, kind: str) -> Row:
        """As `current`, and 404 when the row is deleted: deleted records take no further writes."""
        row = self.current(kind)
        if row.get("deleted"):
            raise not_found(kind, self.id)
        return row

    def buyer(self, customer_id: str) -> Row:
        """The customer of a new invoice; 404 when there is none, or it is deleted."""
        row = self.table("customer").get(customer_id, "customer_id")
        if row["deleted"]:
            raise not_found("customer", customer_id, "customer_id")
        return row

    def commit(self, kind: str, row: Row, event_type: str) -> dict[str, Any]:
        """Store the row, emit its event and return the reply `{kind: resource}`."""
        content = {kind: shown(self.site.save(kind, row))}
        self.site.emit(event_type, content, self.actor)
        return content

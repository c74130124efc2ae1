"""Which readings are our own writes coming back. Pure, but for what it remembers.

A reading is an echo where the vendor names our key as its author, or where the answer to one of our
writes holds the same record with the same content, as of the same moment of the vendor's. Either
may be met first.
"""

from collections import OrderedDict
from typing import Any, TypeVar

from contracts.messages import Observed, Outcome
from contracts.vendors import vendor_part

_Moment = tuple[str, str, str, str, str]
_T = TypeVar("_T")


class Echoes:
    """Remembers the newest `remembered` answers, and as many readings that no answer was known
    for."""

    def __init__(self, remembered: int = 2000) -> None:
        self._most = remembered
        self._written: OrderedDict[_Moment, dict[str, Any] | None] = OrderedDict()
        self._unknown: OrderedDict[_Moment, Observed] = OrderedDict()

    def observed(self, event: Observed) -> bool:
        """Whether it is known to be an echo now."""
        if event.made_by is not None:
            return event.made_by == "tandem"
        moment = (event.tenant, event.system, event.entity, event.id, vendor_part(event.version))
        if moment in self._written:
            return self._written[moment] == event.data
        _keep(self._unknown, moment, event, self._most)
        return False

    def answered(self, outcome: Outcome) -> Observed | None:
        """The reading that came before this answer and is its echo."""
        if (
            outcome.result != "applied"
            or not outcome.wrote
            or outcome.id is None
            or outcome.version is None
        ):
            return None
        moment = (
            outcome.tenant,
            outcome.target,
            outcome.entity,
            outcome.id,
            vendor_part(outcome.version),
        )
        _keep(self._written, moment, outcome.data, self._most)
        event = self._unknown.pop(moment, None)
        return event if event is not None and event.data == outcome.data else None


def _keep(held: OrderedDict[_Moment, _T], moment: _Moment, value: _T, most: int) -> None:
    held[moment] = value
    held.move_to_end(moment)
    if len(held) > most:
        held.popitem(last=False)

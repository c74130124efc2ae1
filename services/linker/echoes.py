"""Counts our own writes that were read back and absorbed: readings of them that led to no
command."""

from collections import Counter
from collections.abc import Iterable, Mapping

from contracts.messages import Observed, Outcome
from services.linker.decide import Message
from services.linker.metrics import ECHOES
from services.linker.store import Store

Decided = tuple[str, Message, bool]  # tenant, message, whether it led to a command


def count_echoes(stores: Mapping[str, Store], decided: Iterable[Decided]) -> None:
    """Count those among committed messages; a reading is known for an echo when the answer to its
    write is known."""
    found: Counter[tuple[str, str]] = Counter()
    for tenant, message, acted in decided:
        echoes = stores[tenant].echoes
        if isinstance(message, Observed) and not acted:
            found[tenant, message.system] += echoes.observed(message)
        elif isinstance(message, Outcome) and echoes.answered(message) is not None:
            found[tenant, message.target] += 1
    for (tenant, system), count in found.items():
        ECHOES.labels(tenant, system).inc(count)

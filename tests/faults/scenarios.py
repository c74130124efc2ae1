"""The scenarios by name, and one round of one of them."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime.embedded_kafka import EmbeddedKafka
from tests.faults import happenings, wires
from tests.faults.oracle import Verdict
from tests.faults.world import WIDE, Row, World, row_of

Scenario = Callable[[World], Verdict]
SCENARIOS: dict[str, Scenario] = {
    "storm": wires.storm,
    "lost replies": wires.lost_replies,
    "kills": wires.kills,
    "late requests": wires.late_requests,
    "frozen": wires.frozen,
    "second processes": wires.second_processes,
    "kafka away": wires.kafka_away,
    "short lists": wires.short_lists,
    "revoked key": wires.revoked_key,
    "map lost": happenings.map_lost,
    "twins": happenings.twins,
    "edited twin": happenings.edited_twin,
    "documents": happenings.documents,
    "poison": happenings.poison,
    "deletions": happenings.deletions,
    "clocks apart": wires.clocks_apart,
    "everything": wires.everything,
}
SETTINGS = {
    "deletions": """
breaker.creates.at_least = 10000
breaker.changes.at_least = 10000
delete.customer.to_poweroffice = "archive"
"""
}


def run(
    name: str,
    seed: str,
    bootstrap: str,
    *,
    broker: EmbeddedKafka | None = None,
    directory: Path | None = None,
) -> Row:
    """One round of a scenario, or of `short`."""
    if directory is None:
        with TemporaryDirectory(prefix="tandem-faults-") as held:
            return run(name, seed, bootstrap, broker=broker, directory=Path(held))
    play = wires.short if name == "short" else SCENARIOS[name]
    settings = SETTINGS.get(name, WIDE)
    with World(bootstrap, directory, f"{name}/{seed}", broker=broker, settings=settings) as world:
        return row_of(name, seed, world, play(world))

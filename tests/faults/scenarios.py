"""The scenarios by name, and one round of one of them."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime.embedded_kafka import EmbeddedKafka
from tests.faults import happenings, kafkas, lists, machines, sales, tenants, wires
from tests.faults.brokers import Cluster
from tests.faults.disks import CannotBe, Disk
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
    "kafka away": kafkas.kafka_away,
    "three brokers": kafkas.three_brokers,
    "short lists": wires.short_lists,
    "revoked key": wires.revoked_key,
    "map lost": happenings.map_lost,
    "twins": happenings.twins,
    "edited twin": happenings.edited_twin,
    "documents": happenings.documents,
    "invoices": sales.invoices,
    "order fields": sales.order_fields,
    "reopened": sales.reopened,
    "poison": happenings.poison,
    "deletions": happenings.deletions,
    "full disks": machines.full_disks,
    "clock jump": machines.clock_jump,
    "upgrade": machines.upgrade,
    "clocks apart": wires.clocks_apart,
    "several tenants": tenants.several_tenants,
    "long list": lists.long_list,
    "everything": wires.everything,
}
CLUSTERED, ON_A_DISK = {"three brokers"}, {"full disks"}
DISK_MB = 96
SETTINGS = {
    "invoices": WIDE + 'order.source = "invoices"\n',
    "order fields": WIDE + "order.delivery_date.to_chargebee = true\n",
    "deletions": """
breaker.creates.at_least = 10000
breaker.changes.at_least = 10000
delete.customer.to_poweroffice = "archive"
""",
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
        with TemporaryDirectory(prefix="tandem-faults-") as made:
            return run(name, seed, bootstrap, broker=broker, directory=Path(made))
    try:
        return _round(name, seed, bootstrap, broker, directory)
    except CannotBe as error:
        return Row(name, seed, left_out=True, words=[str(error)])


def _round(
    name: str, seed: str, bootstrap: str, broker: EmbeddedKafka | None, directory: Path
) -> Row:
    play = wires.short if name == "short" else SCENARIOS[name]
    cluster = disk = None
    with ExitStack() as held:
        if name in CLUSTERED:
            cluster = held.enter_context(Cluster(directory / "kafka"))
            bootstrap, broker = cluster.bootstrap, None
        elif name in ON_A_DISK:
            disk = held.enter_context(Disk(directory / "kafka", DISK_MB))
            data = disk.directory / "data"
            broker = held.enter_context(EmbeddedKafka(data, port=0, controller_port=0))
            bootstrap = broker.bootstrap
        world = World(
            bootstrap,
            directory,
            f"{name}/{seed}",
            broker=broker,
            cluster=cluster,
            disk=disk,
            settings=SETTINGS.get(name, WIDE),
            sales="invoices" if name == "invoices" else "orders",
        )
        return row_of(name, seed, world, play(held.enter_context(world)))

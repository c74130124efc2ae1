"""What happens to Kafka while people edit. Each ends with the judgement."""

import asyncio
import time
from pathlib import Path

from runtime.kafka import TRANSACTION_TIMEOUT_MS
from tests.faults.brokers import Cluster
from tests.faults.oracle import Verdict
from tests.faults.weather import MILD
from tests.faults.world import ADAPTERS, World
from tests.system.rest import WRITTEN, open_transactions
from tests.waiting import wait_for

OUTAGE_S = 30.0
# Longer than a producer waits for an answer (10 s), and than the broker keeps a transaction open.
CUT_S = TRANSACTION_TIMEOUT_MS / 1000 + 5
TRANSACTIONS = "transactions"  # who keeps them


def kafka_away(world: World) -> Verdict:
    """The broker is stopped in order, killed, and away for half a minute, under load."""
    assert world.broker is not None, "this one needs a broker of its own"
    world.start()
    world.weather(MILD)
    world.play(6)
    world.broker.stop()
    world.broker.start()
    world.play(6)
    world.broker.kill()
    comes_back = time.monotonic() + OUTAGE_S
    world.play(6)
    time.sleep(max(0.0, comes_back - time.monotonic()))
    world.broker.start()
    world.blows += 2
    world.play(6)
    return world.judged()


def three_brokers(world: World) -> Verdict:
    """In the middle of a transaction the leader of a topic dies, another one leads, and it comes
    back; then the broker that keeps the transactions. At last the services are cut off from all
    brokers for longer than a producer waits, and whatever they had sent arrives in the end."""
    cluster, rig = world.cluster, world.rig
    assert cluster is not None, "this one needs a cluster"
    hold = rig.directory / "hold"
    rig.variables["TANDEM_TEST_HOLD"] = str(hold)
    world.editor.fill(6, 2)
    rig.start_as("linker", "tests.faults.holding_linker")
    rig.start(*ADAPTERS)
    rig.quiet(polls=2)
    world.weather(MILD)
    for whose in ("links", TRANSACTIONS):
        world.play(3)
        node = _dies_within_a_transaction(world, cluster, hold, whose)
        world.play(6)
        cluster.start(node)
        world.play(3)
    cluster.cut()
    world.blows += 1
    mends_s = time.monotonic() + CUT_S
    world.play(10)
    time.sleep(max(0.0, mends_s - time.monotonic()))
    cluster.mend()
    world.play(6)
    return world.judged()


def _dies_within_a_transaction(world: World, cluster: Cluster, hold: Path, whose: str) -> int:
    """Kill the leader of a topic, or who keeps the transactions, while the linker has a transaction
    open in `links`; then it may commit. Returns which one died."""
    kafka, here = world.rig.kafka, hold.with_suffix(".here")
    hold.touch()

    def is_held() -> bool:
        world.editor.edit_something()
        return here.exists()

    wait_for("the linker is before a commit", is_held)
    opened = wait_for(
        "a transaction is open", lambda: asyncio.run(open_transactions(kafka, WRITTEN, (0,)))
    )
    assert opened
    if whose == TRANSACTIONS:
        node = cluster.coordinator(kafka, "linker.p00")
    else:
        node = cluster.leaders(kafka, (whose,))[whose]
    cluster.kill(node)
    world.blows += 1
    hold.unlink()
    here.unlink()
    return node

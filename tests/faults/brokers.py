"""Three brokers of one cluster, with a wire in front of each that can be cut.

The services reach every broker through its wire only; the brokers among themselves, and whoever
judges, use another listener.
"""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from contracts.settings import KafkaSettings
from runtime.embedded_kafka import EmbeddedKafka
from runtime.kafka import Kafka
from runtime.ports import HOST

NODES = (1, 2, 3)
HEAP = "256m"
TRANSACTION = 1  # the coordinator's kind in FindCoordinator; 0 is a group's
CHUNK_BYTES = 1 << 16
# As three brokers are run in earnest; later lines go before those of one broker.
MORE = """
node.id={node}
controller.quorum.voters={voters}
listeners=INNER://{host}:{port},OUTER://{host}:{outer},CONTROLLER://{host}:{controller_port}
advertised.listeners=INNER://{host}:{port},OUTER://{host}:{wire}
inter.broker.listener.name=INNER
listener.security.protocol.map=INNER:PLAINTEXT,OUTER:PLAINTEXT,CONTROLLER:PLAINTEXT
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
"""


class Wire:
    """One way to a broker. While it is cut, what was sent waits in the wire and arrives when it is
    mended, whoever waits for it by then; a new connection waits too."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self.whole = asyncio.Event()
        self.whole.set()
        self.port = 0
        self._server: asyncio.Server
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        await self.drop()

    async def drop(self) -> None:
        """End every connection with what waits in it."""
        ended = list(self._connections)
        for connection in ended:
            connection.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        mine = asyncio.current_task()
        assert mine is not None
        self._connections.add(mine)
        try:
            await self.whole.wait()
            broker, to_broker = await asyncio.open_connection(HOST, self._upstream)
            await asyncio.gather(
                _pass_on(reader, to_broker, self.whole), _pass_on(broker, writer, self.whole)
            )
        except OSError:
            pass  # either end is gone: so is the connection
        except asyncio.CancelledError:
            pass  # dropped; the stream's own callback would complain of it
        finally:
            self._connections.discard(mine)
            writer.close()


async def _pass_on(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, whole: asyncio.Event
) -> None:
    try:
        while chunk := await source.read(CHUNK_BYTES):
            await whole.wait()
            sink.write(chunk)
            await sink.drain()
        await whole.wait()
    finally:
        sink.close()


class Node(EmbeddedKafka):
    """A broker that is a controller too; it learns of the others by `join`."""

    def __init__(self, data_dir: Path, node: int) -> None:
        super().__init__(data_dir, port=0, controller_port=0, heap=HEAP)
        self.node = node
        self.outer = self._free_port()
        self._more = ""

    def join(self, cluster_id: str, voters: str, wire: int) -> None:
        self.new_cluster_id = cluster_id
        self._more = MORE.format(
            node=self.node,
            voters=voters,
            host=HOST,
            port=self.port,
            controller_port=self.controller_port,
            outer=self.outer,
            wire=wire,
        )

    def _properties(self) -> str:
        return super()._properties() + self._more


class Cluster:
    """Three brokers with replication 3 and two in step. `bootstrap` leads through the wires,
    `inner` past them. Needs `with`."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.nodes = {node: Node(directory / str(node), node) for node in NODES}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wires")
        self.wires = {node: Wire(held.outer) for node, held in self.nodes.items()}

    def __enter__(self) -> Self:
        self._thread.start()
        for wire in self.wires.values():
            self._run(wire.open())
        voters = ",".join(
            f"{node}@{HOST}:{held.controller_port}" for node, held in self.nodes.items()
        )
        for node, held in self.nodes.items():
            held.join(self.nodes[1].new_cluster_id, voters, self.wires[node].port)
        try:
            self._all_start()  # none of them answers alone
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for held in self.nodes.values():
            held.kill()  # its data goes too; the last ones could not hand over in order
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{wire.port}" for wire in self.wires.values())

    def inner(self, prefix: str) -> Kafka:
        """The cluster past the wires."""
        addresses = ",".join(held.bootstrap for held in self.nodes.values())
        return Kafka(
            KafkaSettings(bootstrap=addresses, topic_prefix=prefix, partitions=1, replication=3)
        )

    def _all_start(self) -> None:
        with ThreadPoolExecutor(len(self.nodes)) as threads:
            for done in [threads.submit(held.start) for held in self.nodes.values()]:
                done.result()

    # -- what happens to it

    def kill(self, node: int) -> None:
        """SIGKILL; what waits in its wire is lost."""
        self.nodes[node].kill()
        self._run(self.wires[node].drop())

    def start(self, node: int) -> None:
        self.nodes[node].start()

    def cut(self) -> None:
        """No byte passes between the services and any broker, and no connection ends."""
        for wire in self.wires.values():
            self._loop.call_soon_threadsafe(wire.whole.clear)

    def mend(self) -> None:
        """All that waits in the wires arrives, requests of connections that were given up
        included."""
        for wire in self.wires.values():
            self._loop.call_soon_threadsafe(wire.whole.set)

    # -- who leads

    def leaders(self, kafka: Kafka, topics: tuple[str, ...]) -> dict[str, int]:
        """The broker that leads the first partition of each topic that has one."""
        return asyncio.run(_leaders(kafka, topics))

    def coordinator(self, kafka: Kafka, transactional_id: str) -> int:
        """The broker that keeps the transactions of this id."""
        return asyncio.run(_coordinator(kafka, transactional_id))

    # -- in the loop's thread

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _close(self) -> None:
        for wire in self.wires.values():
            await wire.close()


async def _leaders(kafka: Kafka, topics: tuple[str, ...]) -> dict[str, int]:
    async with kafka.admin() as admin:
        found = await admin.describe_topics([kafka.name(topic) for topic in topics])
    prefix = kafka.name("")
    return {
        each["topic"].removeprefix(prefix): each["partitions"][0]["leader"]
        for each in found
        if each["partitions"] and each["partitions"][0]["leader"] in NODES
    }


async def _coordinator(kafka: Kafka, transactional_id: str) -> int:
    async with kafka.admin() as admin:
        return int(await admin.find_coordinator(kafka.name(transactional_id), TRANSACTION))

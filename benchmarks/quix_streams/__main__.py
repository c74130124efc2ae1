"""`python -m benchmarks.quix_streams SETTINGS`, as the interpreter of the peer's own environment
runs it: settings and the figures it prints are each one JSON object."""

import json
import sys
import time
from typing import Any

from quixstreams import Application, State
from quixstreams.models import BytesDeserializer, Deserializer, Serializer

from benchmarks.quix_streams.merge import Command, command_bytes, take


class TenantOf(Deserializer):  # type: ignore[misc] # typed in the peer's own environment only
    """The tenant of a key: state is kept by key, and the records of both systems share it."""

    def __call__(self, value: bytes, ctx: Any) -> bytes:
        return value.partition(b"/")[0]


class CommandBytes(Serializer):  # type: ignore[misc]
    """A command as JSON."""

    def __call__(self, value: Command, ctx: Any) -> bytes:
        return command_bytes(value)


def main() -> None:
    """Take the given number of records, and print how long it took from the first of them to the
    last commit."""
    asked = json.loads(sys.argv[1])
    left, begun_s, begun_cpu_s = asked["records"], 0.0, 0.0

    def taken(
        value: bytes, key: bytes, timestamp: int, headers: Any, state: State
    ) -> list[Command]:
        nonlocal begun_s, begun_cpu_s
        if not begun_s:
            begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        command = take(state, value)
        return [] if command is None else [command]

    def processed(topic: str, partition: int, offset: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            app.stop()

    app = Application(
        broker_address=asked["bootstrap"],
        consumer_group=asked["group"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=asked["batch"],
        state_dir=asked["state_dir"],
        producer_extra_config={"compression.type": "zstd"},
        on_message_processed=processed,
        loglevel="WARNING",
    )
    events = app.topic(
        asked["events"], key_deserializer=TenantOf(), value_deserializer=BytesDeserializer()
    )
    commands = {
        system: app.topic(topic, value_serializer=CommandBytes())
        for system, topic in asked["commands"].items()
    }
    frame = app.dataframe(events).apply(taken, stateful=True, expand=True, metadata=True)
    frame.to_topic(
        lambda command, key, timestamp, headers: commands[command.target],
        key=lambda command: f"{command.tenant}/{command.entity}/{command.link}".encode(),
    )
    app.run()
    spent = {
        "seconds": time.perf_counter() - begun_s,
        "cpu_seconds": time.process_time() - begun_cpu_s,
    }
    print(json.dumps(spent))


if __name__ == "__main__":
    main()

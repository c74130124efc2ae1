"""The scenarios: what happens to a world while people edit in it. Each ends with the judgement."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from runtime.embedded_kafka import EmbeddedKafka
from tests.faults.oracle import Verdict
from tests.faults.weather import Weather
from tests.faults.world import Row, World, row_of
from tests.system.rig import SERVICES

Scenario = Callable[[World], Verdict]


def storm(world: World) -> Verdict:
    """Every kind of trouble on every wire, webhooks dropped, doubled, shuffled and late."""
    world.weather(Weather(rate=0.15, hook_rate=0.6))
    world.start()
    world.play(40)
    return world.judged()


def lost_replies(world: World) -> Verdict:
    """The vendor carries out every POST and the answer is lost, each time."""
    world.weather(Weather(always={"POST": "cut_after"}))
    world.start()
    world.play(25)
    return world.judged()


def kills(world: World) -> Verdict:
    """SIGKILL of one service after another at random moments, under load."""
    world.start()

    def strike(number: int) -> None:
        if number % 6 == 5:
            name = world.rng.choice(SERVICES)
            world.kill(name)
            world.editor.step()
            world.rig.start(name)

    world.weather(Weather(rate=0.05, hook_rate=0.3))
    world.play(42, between=strike)
    return world.judged()


def short(world: World) -> Verdict:
    """A little of everything, for `make test`."""
    world.start(customers=4, products=2)
    world.weather(Weather(rate=0.15, hook_rate=0.5))
    world.play(12, pause_s=0.1)
    world.kill("linker")
    world.play(4, pause_s=0.1)
    world.rig.start("linker")
    return world.judged(replay=False)


SCENARIOS: dict[str, Scenario] = {
    "storm": storm,
    "lost replies": lost_replies,
    "kills": kills,
}


def run(
    name: str,
    seed: str,
    bootstrap: str,
    *,
    broker: EmbeddedKafka | None = None,
    directory: Path | None = None,
) -> Row:
    """One round of a scenario."""
    if directory is None:
        with TemporaryDirectory(prefix="tandem-faults-") as held:
            return run(name, seed, bootstrap, broker=broker, directory=Path(held))
    with World(bootstrap, directory, seed, broker=broker) as world:
        play = short if name == "short" else SCENARIOS[name]
        return row_of(name, world, play(world))

"""Runs from the outside: waiting for one with a progress bar, and how it stands."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console

from contracts.entities import ENTITIES
from contracts.messages import Control
from contracts.said import Said, english
from contracts.said import say as sentence
from runtime.harmless import harmless
from services.console.base import INTERRUPTED, Meant, run
from services.console.mirror import Mirror, mirror
from services.console.model import ReadModel
from services.console.terminal import Screen, print_json, say, table, text

ENDED = ("done", "cancelled")
LOOK_S = 0.3
QUIET_LOOKS = 3


def run_fact(model: ReadModel, tenant: str, run_id: str) -> dict[str, Any]:
    """What is known of a run; empty when there is none."""
    return model.fact(tenant, "run", run_id) or {}


def figures(fact: Mapping[str, Any]) -> tuple[int, int | None]:
    """How many readings have come, and of how many where that is known."""
    counts = fact.get("counts", {})
    if fact.get("kind") == "replay":
        known = fact.get("state") not in ("reading",)
        return counts.get("answered", 0), counts.get("asked", 0) if known else None
    read = sum(number for name, number in counts.items() if "/" in name)
    parts = fact.get("parts", {})
    whole = sum(parts.values()) if parts and None not in parts.values() else None
    return read, whole


def follow(about: Meant, run_id: str) -> dict[str, Any]:
    """Wait until a run has ended and its writes have been answered, with a progress bar on a
    terminal; the run as it ended. Ctrl-C leaves it running and says how to look at it."""
    words = f"it goes on in the services: tandem runs show {run_id}, or tandem runs cancel {run_id}"
    return run(about.settings, _follow(about, run_id), interrupted=(words, INTERRUPTED))


async def _follow(about: Meant, run_id: str) -> dict[str, Any]:
    from rich.progress import (  # needed here only, and takes long to import
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Screen(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    async with mirror(about.settings) as held:
        with Progress(
            *columns, console=console, disable=not console.is_terminal, transient=True
        ) as progress:
            task = progress.add_task(harmless(f"run {run_id}"), total=None, rate="")
            begun_s = time.monotonic()
            while True:
                await held.to_the_end()
                fact = run_fact(held.model, about.tenant, run_id)
                done, whole = figures(fact)
                rate = f"{done / max(time.monotonic() - begun_s, 0.001):.1f}/s"
                words = harmless(f"{fact.get('kind', 'run')}: {fact.get('state', 'not taken yet')}")
                progress.update(task, completed=done, total=whole, description=words, rate=rate)
                if fact.get("state") in ENDED and await _is_quiet(held, about.tenant, run_id):
                    return fact
                await asyncio.sleep(LOOK_S)


async def _is_quiet(held: Mirror, tenant: str, run_id: str) -> bool:
    """Whether every command that the run led to has been answered, or is kept back."""
    cause = f"{tenant}/run/{run_id}"
    for _ in range(QUIET_LOOKS):
        if any(_is_under_way(held.model, tenant, cause)):
            return False
        await asyncio.sleep(LOOK_S)
        await held.to_the_end()
    return True


def _is_under_way(model: ReadModel, tenant: str, cause: str) -> list[bool]:
    return [
        (link.flight is not None and link.flight.command.cause == cause)
        or (link.plan is not None and link.state != "held" and link.cause == cause)
        for link in model.busy(tenant)
    ]


def show_runs(console: Console, controls: list[Control], *, as_json: bool) -> None:
    """One line for each run, the newest first."""
    held = sorted(controls, key=lambda control: str(control.value.get("at", "")), reverse=True)
    if as_json:
        print_json([{"id": control.id, **control.value} for control in held])
        return
    shown = table("run", "kind", "state", "begun", "figures")
    for control in held:
        fact = control.value
        cells = (
            control.id,
            str(fact.get("kind")),
            str(fact.get("state")),
            str(fact.get("at", ""))[:19] + "Z",
        )
        shown.add_row(*map(text, (*cells, words_of(fact))))
    if held:
        console.print(shown)
    say(console, f"{len(held)} runs")


def words_of(fact: Mapping[str, Any]) -> str:
    """The figures of a run in words."""
    return english(said_of(fact))


def said_of(fact: Mapping[str, Any]) -> Said:
    """The same as a sentence."""
    return sentence("run_figures", parts=list(_figures(fact)))


def _figures(fact: Mapping[str, Any]) -> Iterator[Said]:
    counts = fact.get("counts", {})
    if fact.get("kind") == "replay":
        names = ("records", "asked", "answered", "different", "failed", "left_alone", "unknown")
        told = [name for name in names if counts.get(name)]
        yield from (sentence("figure", what=n.replace("_", " "), count=counts[n]) for n in told)
        if not told:
            yield sentence("run_none")
        return
    read, whole = figures(fact)
    yield sentence("run_read", count=read if whole is None else whole)
    parts: Mapping[str, int | None] = fact.get("parts", {})
    for entity in ENTITIES:
        for name in parts:
            if name.endswith(f"/{entity}") and parts[name] is None:
                yield sentence("run_left", system=name.partition("/")[0], entity=entity)
    if "different" in counts:
        yield sentence("figure", what="different", count=counts["different"])
    if "cleared" in counts:
        yield sentence("figure", what="links cleared", count=counts["cleared"])

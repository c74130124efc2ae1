"""What happens in the demo: everything is brought together, then edited on both sides, then
checked."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import httpx

from contracts.entities import ENTITIES, SYSTEMS, EntityName, System
from demo.compare import Report, compare
from demo.edits import Script, Timed, latencies, timed
from demo.hints import Edited
from demo.installation import Installation
from demo.progress import Progress, writes_needed
from demo.screen import Screen
from demo.vendors import REQUEST_S, Chargebee, Go
from demo.watcher import Watcher
from runtime.clock import iso_now

STILL_S = 1.5
# Below Go's 10, since a full second would hold more of them by chance.
GO_PERSON_PER_S = 9.0
CREATIONS: Mapping[System, Mapping[EntityName, str]] = {
    "chargebee": {
        "customer": "POST /customers",
        "product": "POST /items",
        "order": "POST /orders/import_order",
    },
    "poweroffice": {
        "customer": "POST /Customers",
        "product": "POST /Products",
        "order": "POST /SalesOrders/Complete",
    },
}

IMPORT = "POST /invoices/import_invoice"


@dataclass(frozen=True)
class Result:
    """How the demo ended: the last line, whether all of it holds, and a field that was edited."""

    line: str
    converged: bool
    edited: Edited | None


async def play(installation: Installation, watcher: Watcher, screen: Screen) -> Result:
    """Bring together, edit, check."""
    chargebee = Chargebee(
        f"{installation.url('chargebee')}/api/v2", installation.person_chargebee_key
    )
    go = Go(installation.url("poweroffice"), installation.person_go, GO_PERSON_PER_S)
    try:
        return await _play(installation, watcher, screen, chargebee, go)
    finally:
        await chargebee.close()
        await go.close()


async def _play(
    installation: Installation, watcher: Watcher, screen: Screen, chargebee: Chargebee, go: Go
) -> Result:
    screen.phase = "1. Reading both systems, matching, creating what is missing"
    screen.say(screen.phase)
    unfinished = await watcher.until_quiet(STILL_S)
    first_links = list(watcher.progress.finished("update"))
    done: list[Timed] = []
    script = Script(watcher.progress, chargebee, go, installation.source)
    if not unfinished:
        done = await _edit(script, screen)
        screen.phase = "3. Waiting until both systems have been read once more and nothing moves"
        screen.say(screen.phase)
        unfinished = await watcher.until_quiet(STILL_S, swept_since=iso_now())
    screen.phase = "4. Reading both systems over their APIs and comparing them"
    screen.say(screen.phase)
    report = await compare(watcher.progress, chargebee, go, installation.source)
    report.wrong += [f"not at rest: {reason}" for reason in unfinished]
    writes = await _writes(installation, watcher.progress, report)
    edits = sum(each.edit.updates for each in done)
    needed = writes_needed(watcher.progress, first_links, edits, installation.source) + report.held
    result = _concluded(watcher.progress, report, done, needed, writes, screen)
    return replace(result, edited=script.edited)


async def _edit(script: Script, screen: Screen) -> list[Timed]:
    screen.phase = "2. Somebody else edits in both systems"
    screen.say(screen.phase)
    done = []
    for edit in script.edits():
        one = await timed(edit)
        took = "never shown" if one.latency_ms is None else f"{one.latency_ms:.0f} ms"
        screen.say(f"   {edit.way}  {edit.words:<32} {took:>12}")
        done.append(one)
    return done


async def _writes(installation: Installation, progress: Progress, report: Report) -> int:
    """Write requests of the sync that succeeded, as the simulators counted them.

    Adds to the report what was refused, and as duplicates the creations beyond the links that were
    made.
    """
    writes = 0
    async with httpx.AsyncClient(trust_env=False, timeout=REQUEST_S) as http:
        for system in SYSTEMS:
            answer = await http.get(
                f"{installation.url(system)}/_sim/requests", params={"user": "tandem"}
            )
            held = answer.json()
            writes += int(held["writes"])
            calls = Counter(
                (f"{each['method']} {each['path']}", each["status"]) for each in held["log"]
            )
            report.notes += [
                f"{system} refused {n} x {what} {s}"
                for (what, s), n in sorted(calls.items())
                if _is_a_fault(what, s)
            ]
            _surplus(system, calls, progress, report, installation.source)
    return writes


def _surplus(
    system: System, calls: Counter[tuple[str, int]], progress: Progress, report: Report, source: str
) -> None:
    made = Counter(name[0] for name, target in progress.created().items() if target == system)
    operations = dict(CREATIONS[system])
    if system == "chargebee" and source == "invoices":
        operations["order"] = IMPORT
    for entity, operation in operations.items():
        succeeded = sum(
            count for (what, status), count in calls.items() if what == operation and status < 300
        )
        if succeeded > made[entity]:
            report.wrong.append(
                f"{succeeded} {entity}s were created in {system}, {made[entity]} are linked"
            )
            report.duplicates += succeeded - made[entity]


def _concluded(
    progress: Progress, report: Report, done: list[Timed], needed: int, writes: int, screen: Screen
) -> Result:
    linked = "/".join(str(progress.figures(entity).linked) for entity in ENTITIES)
    report.wrong += [
        f"edit never shown: {each.edit.words}" for each in done if each.latency_ms is None
    ]
    if progress.dead_letters:
        report.wrong.append(f"{progress.dead_letters} dead letters")
    _tell(report, screen)
    converged = not report.wrong and report.duplicates == 0
    if converged and writes != needed:
        screen.say(f"Writes differ from what was needed: {writes} instead of {needed}")
    line = (
        f"{'converged' if converged else 'NOT converged'} linked={linked} writes={writes} "
        f"needed={needed}"
        f" duplicates={report.duplicates} {_latency(done, 'cb>go')} {_latency(done, 'go>cb')}"
    )
    return Result(line, converged and writes == needed, None)


def _is_a_fault(what: str, status: int) -> bool:
    # A 404 to a reading is an answer: the sync looks whether a record is there.
    return status >= 400 and not (what.startswith("GET ") and status == 404)


def _latency(done: list[Timed], way: str) -> str:
    if not any(each.edit.way == way for each in done):
        return f"{way} p50=-ms max=-ms"
    median_ms, most_ms = latencies(done, "cb>go" if way == "cb>go" else "go>cb")
    shown = ["-" if math.isinf(each) else f"{each:.0f}" for each in (median_ms, most_ms)]
    return f"{way} p50={shown[0]}ms max={shown[1]}ms"


def _tell(report: Report, screen: Screen) -> None:
    compared = ", ".join(f"{count} {entity}s" for entity, count in report.compared.items())
    screen.say(f"Compared field by field: {compared}")
    for title, lines in (
        ("Apart, with a reason", report.excused),
        ("Worth a look", report.notes),
        ("Wrong", report.wrong),
    ):
        if lines:
            screen.say(f"{title} ({len(lines)}):")
        for line in lines:
            screen.say(f"   {line}")

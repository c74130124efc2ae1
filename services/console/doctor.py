"""`tandem doctor`: what a first run needs, in order, in words. Nothing is written, no service has
to run.

Kafka is asked here, each vendor by its adapter's own check command (`python -m services.… check
TENANT`).
"""

import asyncio
import contextlib
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import httpx
import msgspec
from aiokafka.errors import KafkaConnectionError

from contracts.checks import Checked, finding, not_checked, note, ok
from contracts.entities import SYSTEMS, System
from contracts.messages import ORDER_SOURCE, RESTORING, STARTING, Control
from contracts.said import Said, say
from contracts.settings import DECISIONS, Settings, Tenant, every_key
from contracts.topics import TOPICS
from runtime.checks import FOUND, discreet, secrets_of, service_url
from runtime.kafka import AWAY, Kafka, TopicsFound
from runtime.reach import why
from runtime.unusable import Unusable
from services.console.doctor_services import heard_of
from services.console.services import Process as Living
from services.console.services import said_of

TOTAL_S, KAFKA_S, VENDOR_S, PORT_S, HEARD_S, LEFT_FOR_PORTS_S = 55.0, 8.0, 25.0, 3.0, 5.0, 9.0
KAFKA, TOPIC, TENANTS, DECISION = "Kafka", "topics", "tenants", "decisions"
PINNED_SOURCE = "pinned order source"
PINNED: Mapping[System, str] = {
    "chargebee": "pinned Chargebee site",
    "poweroffice": "pinned Go company",
}
VENDORS: Mapping[System, str] = {"chargebee": "Chargebee", "poweroffice": "PowerOffice Go"}
SERVICES = {
    "linker": "linker",
    "chargebee_adapter": "Chargebee adapter",
    "poweroffice_adapter": "Go adapter",
}
_control_decoder = msgspec.json.Decoder(Control)
_checked_decoder = msgspec.json.Decoder(Checked)


@dataclass
class Held:
    """What `control` says of the tenants: pinned accounts by tenant and system, modes that
    operators set. None where it could not be read, with the reason."""

    pins: dict[tuple[str, str], str] | None = None
    modes: dict[str, str] = field(default_factory=dict)
    why: Said | str = ""


async def diagnose(
    settings: Settings, names: Sequence[str], held: Held, *, with_keys: bool = True
) -> AsyncIterator[Checked]:
    """Every result, as soon as it is there, without secrets; what `control` says is put into
    `held`. Without keys no vendor is asked. Ends within TOTAL_S (like every limit here, times
    console.patience) whatever hangs."""
    secrets, until = secrets_of(settings), time.monotonic() + TOTAL_S * settings.console.patience
    async for result in _all(settings, names, held, until, with_keys=with_keys):
        yield discreet(result, secrets)


async def _all(
    settings: Settings, names: Sequence[str], held: Held, until: float, *, with_keys: bool
) -> AsyncIterator[Checked]:
    for result in await _kafka(settings, names, held):
        yield result
    if not names:
        yield finding(
            TENANTS,
            say("no_tenant"),
            say("add_tenant"),
        )
    for name in names:
        until_ports = until - LEFT_FOR_PORTS_S * settings.console.patience
        async for result in _tenant(name, settings, held, until_ports if with_keys else None):
            yield msgspec.structs.replace(result, tenant=name)
    live, heard = list[Living](), list[Checked]()
    if held.pins is not None:
        live, heard = await heard_of(settings, HEARD_S * settings.console.patience)
    beating = {each.service for each in live}
    async with httpx.AsyncClient(
        trust_env=False, timeout=PORT_S * settings.console.patience
    ) as http:
        asked = (
            _service(http, settings, service, beats=service in beating) for service in SERVICES
        )
        for result in await asyncio.gather(*asked):
            yield result
    for result in heard:
        yield result


# -- Kafka


async def _kafka(settings: Settings, names: Sequence[str], held: Held) -> list[Checked]:
    kafka, limit_s = Kafka(settings.kafka), KAFKA_S * settings.console.patience
    held.why = say("kafka_unusable")
    try:
        async with asyncio.timeout(limit_s):
            found = await kafka.look_at_topics()
    except AWAY as error:
        words, fix = await _unusable(error, settings, limit_s)
        return [finding(KAFKA, words, fix), not_checked(TOPIC, held.why)]
    results = [
        ok(KAFKA, say("kafka_answers", place=settings.kafka.bootstrap)),
        *topic_results(found, kafka),
    ]
    held.why = say("topics_amiss")
    if not (found.missing or found.small or found.differing):
        results += await _read_control(kafka, settings, names, held)
    return results


async def _unusable(
    error: Exception, settings: Settings, limit_s: float
) -> tuple[str | Said, str | Said]:
    at = settings.kafka.bootstrap
    fix = say("start_kafka")
    trouble = None
    if isinstance(error, KafkaConnectionError | Unusable | TimeoutError):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                trouble = await why(settings.kafka)
    if trouble is not None and trouble.fix is not None:
        return say("of_field", field=trouble.key, why=trouble.said), trouble.fix
    if trouble is not None and trouble.lasting:
        words, _, remedy = trouble.words.rpartition("; ")
        return words, remedy
    if isinstance(error, TimeoutError):
        return say("kafka_late", place=at, within=f"{limit_s:.0f} s"), fix
    if isinstance(error, KafkaConnectionError):
        if trouble is None:
            return say("kafka_unreached", place=at), fix
        return say("kafka_unreached_why", place=at, why=trouble.said), fix
    why_not = " ".join(str(error).split()) or type(error).__name__
    return say("kafka_unusable_at", place=at, why=why_not), fix


def topic_results(found: TopicsFound, kafka: Kafka) -> list[Checked]:
    """How the topics stand as results: those that do not exist as one, each that differs by
    itself."""
    results, missing = [], found.missing
    if missing:
        names = ", ".join(map(kafka.name, missing[:3])) + (", …" if len(missing) > 3 else "")
        words = say("topics_missing", count=len(missing), most=len(TOPICS), list=names)
        results.append(finding(TOPIC, words, say("create_topics")))
    results += (finding(TOPIC, each.said, each.fix) for each in (*found.small, *found.differing))
    return results or [ok(TOPIC, say("topics_right", count=len(TOPICS)))]


async def _read_control(
    kafka: Kafka, settings: Settings, names: Sequence[str], held: Held
) -> list[Checked]:
    pins: dict[tuple[str, str], str] = {}
    partitions = sorted({settings.partition_of(name) for name in names})
    try:
        async with asyncio.timeout(KAFKA_S * settings.console.patience):
            async for record in kafka.read(("control",), partitions):
                if record.value is not None:
                    _take(_control_decoder.decode(record.value), pins, held.modes)
    except (*AWAY, msgspec.MsgspecError) as error:
        held.why = say("topic_unreadable", topic="control", why=type(error).__name__)
        return [finding(KAFKA, held.why, say("look_at_kafka"))]
    held.pins = pins
    return []


def _take(control: Control, pins: dict[tuple[str, str], str], modes: dict[str, str]) -> None:
    if control.kind == "identity":
        pins[control.tenant, control.id] = str(control.value.get("id"))
    elif control.kind == "mode":
        modes[control.tenant] = str(control.value.get("mode"))


# -- one tenant


async def _tenant(
    name: str, settings: Settings, held: Held, until: float | None
) -> AsyncIterator[Checked]:
    """`until` is None where there are no keys."""
    tenant = settings.tenants[name]
    for result in decisions(name, tenant):
        yield result
    if until is None:
        for result in without_keys(name, held):
            yield result
        yield pinned_source(name, tenant, held)
        return
    accounts: dict[System, str] = {}
    async for system, result in _vendors(name, until, VENDOR_S * settings.console.patience):
        if result.account:
            accounts[system] = result.account
        yield result
    for system in SYSTEMS:
        yield pinned(system, accounts.get(system), name, held)
    yield pinned_source(name, tenant, held)


def decisions(name: str, tenant: Tenant) -> list[Checked]:
    """The four settings without a default. A tenant that is to sync and cannot is a finding, one
    that observes not."""
    missing = tenant.missing_decisions()
    if not missing:
        return [ok(DECISION, say("decisions_made", count=len(DECISIONS)))]
    meaning = {
        ".".join(key.path[2:]): key.info.description
        for key in every_key()
        if key.path[0] == "tenants"
    }
    results = []
    for key in missing:
        words = say("decision_unmade", name=key, tenant=name, meaning=meaning[key])
        fix = say("set_setting", name=f"tenants.{name}.{key}")
        results.append(
            finding(DECISION, words, fix) if tenant.mode == "sync" else note(DECISION, words, fix)
        )
    return results


def pinned(system: System, account: str | None, name: str, held: Held) -> Checked:
    """Whether the account behind the keys is the one that earlier starts wrote into
    (runtime.identity)."""
    check = PINNED[system]
    if held.pins is None:
        return not_checked(check, held.why)
    before = held.pins.get((name, system))
    if before is None:
        return ok(check, say("pinned_none"))
    if account is None:
        return not_checked(check, say("pinned_closed", id=before))
    if account == before:
        return ok(check, say("pinned_same", id=before))
    words = say("pinned_other", tenant=name, id=before, found=account)
    return finding(check, words, say("give_back_keys"))


def without_keys(name: str, held: Held) -> Iterator[Checked]:
    """What is said of the vendors where their keys are not."""
    for system in SYSTEMS:
        words = say("not_checked", why=say("needs_keys"))
        yield note(VENDORS[system], words, say("check_with_keys", tenant=name))
    for system in SYSTEMS:
        if held.pins is None:
            yield not_checked(PINNED[system], held.why)
        elif (before := held.pins.get((name, system))) is None:
            yield ok(PINNED[system], say("pinned_none"))
        else:
            yield note(PINNED[system], say("pinned_unasked", id=before))


def pinned_source(name: str, tenant: Tenant, held: Held) -> Checked:
    """Whether what the settings count as a sale is what earlier starts carried
    (services/linker/order_source.py)."""
    if held.pins is None:
        return not_checked(PINNED_SOURCE, held.why)
    wanted, before = tenant.order.source, held.pins.get((name, ORDER_SOURCE))
    if before is None:
        return ok(PINNED_SOURCE, say("source_none", source=wanted))
    if before == wanted:
        return ok(PINNED_SOURCE, say("source_same", source=before))
    words = say("source_other", tenant=name, before=before, source=wanted)
    return finding(PINNED_SOURCE, words, say("source_back", before=before))


async def _vendors(
    name: str, until: float, most_s: float = VENDOR_S
) -> AsyncIterator[tuple[System, Checked]]:
    """Both check commands at once; the results of the first as they come, then those of the
    second."""
    until = min(until, time.monotonic() + most_s)
    if until - time.monotonic() < 1:
        for system in SYSTEMS:
            yield (
                system,
                not_checked(VENDORS[system], say("no_time_left", tenant=name)),
            )
        return
    started: dict[System, Process] = {}
    try:
        for system in SYSTEMS:
            command = (sys.executable, "-m", f"services.{system}_adapter", "check", name)
            started[system] = await asyncio.create_subprocess_exec(
                *command, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
            )
        for system, process in started.items():
            async for result in _results(system, name, process, until):
                yield system, result
    finally:
        for process in started.values():
            await _end(process)


async def _results(
    system: System, name: str, process: Process, until: float
) -> AsyncIterator[Checked]:
    assert process.stdout is not None
    see = f"see python -m services.{system}_adapter check {name}"
    try:
        while line := await asyncio.wait_for(process.stdout.readline(), until - time.monotonic()):
            yield _checked_decoder.decode(line)
        code = await asyncio.wait_for(process.wait(), until - time.monotonic())
    except TimeoutError:
        yield finding(VENDORS[system], "the check did not end in time", see)
    except msgspec.MsgspecError:
        yield finding(VENDORS[system], "the check printed something else than results", see)
    else:
        if code not in (0, FOUND):
            yield finding(VENDORS[system], f"the check ended with code {code}", see)


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


# -- services and what is next


async def _service(
    http: httpx.AsyncClient, settings: Settings, service: str, *, beats: bool
) -> Checked:
    """How a service answers on its port; `beats` says that it lives by its heartbeats."""
    title, port = SERVICES[service], getattr(settings.ports, service)
    if port == 0:
        return not_checked(title, say("port_free", service=service))
    base, command = service_url(settings, service), f"python -m services.{service}"
    try:
        async with asyncio.timeout(PORT_S * settings.console.patience):
            body = (await http.get(f"{base}/health/ready")).json()
        ready, problem = body["ready"], body["problem"]
    except (httpx.TransportError, TimeoutError):
        if beats:
            words, fix = say("port_beats", place=base), say("port_where", service=service)
            return note(title, words, fix)
        return note(title, say("port_silent", place=base), say("start_it", command=command))
    except (ValueError, KeyError, TypeError):
        return finding(title, say("port_taken", place=base), say("port_end", service=service))
    if ready:
        return ok(title, say("service_ready", place=base))
    if problem in (STARTING, RESTORING):
        return note(title, say("service_starts", why=said_of(problem)), say("ask_again"))
    return finding(title, say("service_waits", why=said_of(str(problem))), say("see_runbook"))


def next_steps(
    results: Sequence[Checked], settings: Settings, names: Sequence[str], modes: Mapping[str, str]
) -> list[Said]:
    """What to do next, one line each: correct, else start, else decide, read the plans, or
    nothing."""
    if count := sum(each.state == "finding" for each in results):
        one = say("next_correct_one")
        return [one if count == 1 else say("next_correct", count=count)]
    fixes = (fix for each in results for fix in each.fix_said if fix.code == "start_it")
    if commands := [say("next_command", **fix.args) for fix in fixes]:
        return [say("next_start"), *commands]
    return list(_of_tenants(settings, names, modes))


def _of_tenants(
    settings: Settings, names: Sequence[str], modes: Mapping[str, str]
) -> Iterator[Said]:
    for name in names:
        tenant, named = (
            settings.tenants[name],
            f" --tenant {name}" if len(settings.tenants) > 1 else "",
        )
        if missing := tenant.missing_decisions():
            yield say("next_decide", tenant=name, names=", ".join(missing))
        elif modes.get(name, tenant.mode) == "observe":
            commands = {"plan": f"tandem plan{named}", "mode": f"tandem mode sync{named}"}
            yield say("next_plans", tenant=name, **commands)
        else:
            yield say("next_status", tenant=name)

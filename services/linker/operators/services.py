"""What services and a start tell the linker. Pure."""

from contracts import facts, signals
from contracts.entities import ENTITIES, SYSTEMS, System
from contracts.messages import Signal
from services.linker import order_source
from services.linker.compare import take_part
from services.linker.operators.forget import erase_again
from services.linker.operators.held import discard_bucket, release_paid
from services.linker.operators.records import redrive_some
from services.linker.operators.runs import clear
from services.linker.plan import plan_bucket, plan_queue, plan_sharing
from services.linker.session import Session


def take(work: Session, signal: Signal) -> None:
    """Do what a service tells. Raises Wrong where its arguments do not fit."""
    match signals.of(signal):
        case signals.Start():
            start(work)
        case signals.Tick():
            erase_again(work, work.now)
        case signals.Advance() as said:
            advance(work, said)
        case signals.Reachable() as said:
            reachable(work, said.system, signal.at)
        case signals.Seen() as said:
            identity(work, said.system, said.id, signal.id)
        case signals.ReplayPart() as said:
            take_part(work, said.run, said.records, last=said.last)
        case signals.Reloaded() as said:
            reloaded(work, said)
        case said:
            raise TypeError(f"nobody takes {type(said).__name__}")


def start(work: Session) -> None:
    """Plan again what was held or still waits, after a start."""
    order_source.judge(work.state, work.now)
    for system in SYSTEMS:
        plan_queue(work, system)
    for entity in ENTITIES:
        shown = f"held|{entity}|observe"
        if work.mode() == "sync" and work.state.first(shown) is not None:
            # The settings say sync now: what was shown while observing goes as by a signal.
            facts.put(work.state, facts.Batch(released=work.now), f"{entity}/observe")
            plan_bucket(work, shown)
        if work.barrier_open(entity):
            plan_bucket(work, f"pending|{entity}")


def advance(work: Session, said: signals.Advance) -> None:
    """Go on with what one transaction left over."""
    if said.queue is not None:
        plan_queue(work, said.queue)
    elif said.release_paid is not None:
        release_paid(work, said.release_paid, _left(work, said.release_paid, said.after))
    elif said.discard is not None:
        discard_bucket(work, said.discard, _left(work, said.discard, said.after))
    elif said.clear is not None:
        clear(work, said.clear)
    elif said.redrive is not None:
        redrive_some(work, said.redrive)
    elif said.sharing is not None:
        plan_sharing(work, *said.sharing, said.after)
    elif said.bucket is not None:
        plan_bucket(work, said.bucket, said.after)


def _left(work: Session, bucket: str, after: str) -> int:
    """How many of a held bucket are meant still; all of it where an older release did not say."""
    return int(after) if after else work.state.count(bucket)


def reachable(work: Session, system: System, at: str) -> None:
    """A vendor answers again, since `at`: what was parked is tried."""
    facts.put(work.state, facts.Reachable(at=at), system)
    plan_bucket(work, "parked")


def identity(work: Session, system: System, found: str, signal: str) -> None:
    """Pin the vendor account at first sight; another one stops the tenant until the pinned one is
    back. No account is neither: something in front of the vendor answered."""
    held = facts.get(work.state, facts.Identity, system)
    pinned = held.id if held is not None else None
    if not found.strip():
        return
    if not pinned:
        facts.put(work.state, facts.Identity(id=found, signal=signal), system)
    elif pinned != found:
        facts.put(work.state, facts.Stopped(pinned=pinned, found=found, at=work.now), system)
        return
    if facts.holds(work.state, facts.Stopped, system):
        facts.take_back(work.state, facts.Stopped, system)
        start(work)


def reloaded(work: Session, said: signals.Reloaded) -> None:
    """The map was read anew from its topic, by the linker's own process."""
    done = facts.Reload(
        signal=said.signal,
        state="done",
        at=work.now,
        links=said.links,
        differing=said.differing,
    )
    facts.put(work.state, done)

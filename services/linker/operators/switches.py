"""Mode, pause and resume. Pure."""

from contracts import facts, signals
from contracts.entities import ENTITIES, SYSTEMS
from services.linker.arguments import entities_of, targets_of
from services.linker.plan import plan_bucket, plan_queue
from services.linker.session import Session


def mode(work: Session, said: signals.Mode) -> None:
    wanted = said.mode
    facts.put(work.state, facts.Mode(mode=wanted))
    for entity in ENTITIES:
        # What was shown in observe passes the breakers: a person has read it before the switch.
        if wanted == "sync":
            facts.put(work.state, facts.Batch(released=work.now), f"{entity}/observe")
        else:
            facts.take_back(work.state, facts.Batch, f"{entity}/observe")
    if wanted == "sync":
        _go_on_after_hold(work, "observe")


def _go_on_after_hold(work: Session, batch: str) -> None:
    for system in SYSTEMS:
        plan_queue(work, system)
    for entity in ENTITIES:
        plan_bucket(work, f"held|{entity}|{batch}")
        if work.barrier_open(entity):
            plan_bucket(work, f"pending|{entity}")
    plan_bucket(work, "parked")


def pause(work: Session, said: signals.Pause) -> None:
    for entity in entities_of(said.entity):
        for target in targets_of(said.target):
            facts.put(work.state, facts.Pause(at=work.now), f"{entity}/{target}")


def resume(work: Session, said: signals.Resume) -> None:
    for entity in entities_of(said.entity):
        for target in targets_of(said.target):
            facts.take_back(work.state, facts.Pause, f"{entity}/{target}")
    _go_on_after_hold(work, "paused")

"""How an adapter says what of a command its vendor cannot take: one form for both, in words for a
person. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from contracts.messages import Outcome, Problem
from contracts.said import Said


class Unwritable(Exception):
    """Nothing of a command can be written; known before the vendor is asked. The sink makes it a
    refusal."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem

    @classmethod
    def of(cls, code: str, said: Said, *, field: str | None) -> "Unwritable":
        """The error of a problem in a field."""
        return cls(Problem.of(code, said, field))


@dataclass(frozen=True)
class Fitting:
    """The fields that a vendor can hold, as it will hold them, and why it cannot take the others,
    which are held back."""

    held: dict[str, Any]
    faults: dict[str, Problem]


def fit(held: Mapping[str, Any], faults: Iterable[Problem | None]) -> Fitting:
    """The fields without those that have a fault; of two faults of one field the last counts."""
    by_field = {each.field: each for each in faults if each is not None and each.field is not None}
    kept = {name: value for name, value in held.items() if name not in by_field}
    return Fitting(kept, by_field)


def told(outcome: Outcome, skipped: Mapping[str, Problem] | None) -> Outcome:
    """An outcome that says of the fields that were held back why."""
    held = skipped or {}
    return msgspec.structs.replace(
        outcome,
        skipped={name: problem.message for name, problem in held.items()},
        skipped_said={
            name: problem.said for name, problem in held.items() if problem.said is not None
        },
    )

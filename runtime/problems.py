"""How an adapter says what of a command its vendor cannot take: one form for both, in words for a
person. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.messages import Problem


class Unwritable(Exception):
    """Nothing of a command can be written; known before the vendor is asked. The sink makes it a
    refusal."""

    def __init__(self, code: str, message: str, *, field: str | None) -> None:
        super().__init__(message)
        self.problem = Problem(code=code, message=message, field=field)

    @classmethod
    def of(cls, problem: Problem) -> "Unwritable":
        """The error of a problem that was found in a field."""
        return cls(problem.code, problem.message, field=problem.field)


@dataclass(frozen=True)
class Fitting:
    """The fields that a vendor can hold, as it will hold them, and why it cannot take the
    others."""

    held: dict[str, Any]
    faults: dict[str, Problem]

    @property
    def skipped(self) -> dict[str, str]:
        """The fields that are held back, each with the reason in words."""
        return {name: problem.message for name, problem in self.faults.items()}


def fit(held: Mapping[str, Any], faults: Iterable[Problem | None]) -> Fitting:
    """The fields without those that have a fault; of two faults of one field the last counts."""
    by_field = {each.field: each for each in faults if each is not None and each.field is not None}
    kept = {name: value for name, value in held.items() if name not in by_field}
    return Fitting(kept, by_field)

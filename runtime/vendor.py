"""What talking to a vendor's API comes to: errors that say what to do next.

VendorError
├── Retriable      the same call may succeed later; `maybe_applied` when the write could have passed
├── Refused        permanent for this content; code, field and the vendor's words
│   └── NotFound   the addressed record does not exist
└── Unauthorised   the key is refused: everything of the tenant stops until a person acts
"""

from contracts.messages import Problem
from contracts.said import Said
from runtime.masking import masked


class VendorError(Exception):
    """Anything a vendor's API answered other than success. Here its answer becomes words, which are
    kept: our own secrets are masked in them, also in `code` and `field`."""

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


class Retriable(VendorError):
    """429, 5xx, a timeout, a reset connection, or an answer that cannot be read."""

    def __init__(
        self, message: str, *, maybe_applied: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.maybe_applied = maybe_applied
        self.retry_after_s = retry_after_s


class Refused(VendorError):
    """A permanent refusal. `status` is the HTTP status, or None where no call was made."""

    said: Said | None = None  # where the words are ours

    def __init__(
        self, code: str, message: str, *, field: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.status = masked(code), masked(message), status
        self.field = None if field is None else masked(field)

    @classmethod
    def of(cls, problem: Problem) -> "Refused":
        """The refusal for a problem that was found before anything was sent."""
        found = cls(problem.code, problem.message, field=problem.field)
        found.said = problem.said
        return found

    @property
    def problem(self) -> Problem:
        """What is told of it."""
        return Problem(code=self.code, message=self.message, field=self.field, said=self.said)


class NotFound(Refused):
    """The addressed record does not exist."""


class Unauthorised(VendorError):
    """The credentials are refused or lack a privilege. `code` is the vendor's, or `http_` and the
    status."""

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = masked(code)

"""A person is asked before something follows that is hard to take back; scripts say `--yes`."""

from typing import Annotated

import typer

from services.console.base import INTERRUPTED, stop
from services.console.terminal import ask

YesOption = Annotated[
    bool, typer.Option("--yes", help="Do not ask; needed where nobody can be asked.")
]
UNASKED = (
    "nothing was done: this is no terminal, so nobody can be asked; add --yes to go on "
    "without a question"
)
REFUSED = "nothing was done"


def agreed(*, yes: bool) -> bool:
    """Whether a person was asked and agreed; False where `yes` says it without a question. Ends the
    command with code 2 where the answer is no or nobody can be asked, and with 130 at Ctrl-C or the
    end of the input."""
    if yes:
        return False
    match ask("Go on?"):
        case None:
            stop(UNASKED)
        case "interrupted":
            stop(REFUSED, INTERRUPTED)
        case "no":
            stop(REFUSED)
    return True

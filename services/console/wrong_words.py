"""What is typed wrongly ends every command alike: one line with the word and the one that was
meant, exit code 2."""

import difflib
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from typer.core import TyperGroup
from typer.exceptions import Abort, TyperException

from services.console.terminal import tell

INTERRUPTED = 130


class Commands(TyperGroup):
    """The outermost group of commands."""

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *,
        standalone_mode: bool = True,
        **named: Any,
    ) -> Any:
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **named)
        try:
            code = super().main(args, prog_name, standalone_mode=False, **named)
        except Abort:
            sys.exit(INTERRUPTED)
        except TyperException as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()  # type: ignore[attr-defined]  # a group alone shows its help
            else:
                tell(line(error), err=True)
            sys.exit(getattr(error, "exit_code", 2))
        sys.exit(code if isinstance(code, int) else 0)


def line(error: Any) -> str:
    """One line about what was typed: what is wrong, and what was meant or where the help is."""
    context: Any = getattr(error, "ctx", None)
    message = re.sub(
        r"(Value error, |Input should) ?", _ours, " ".join(str(error.format_message()).split())
    )
    path = context.command_path if context is not None else "tandem"
    fix = f"see {path} --help"
    if option := getattr(error, "option_name", None):
        known = [
            name
            for param in context.command.params
            for name in (*param.opts, *param.secondary_opts)
        ]
        return f"no option {option}; {_meant(option, [*known, '--help']) or fix}"
    if found := re.match(r"No such command '(.*?)'\.", message):
        return f"no command {path} {found[1]}; {_meant_command(found[1], context) or fix}"
    param = getattr(error, "param", None)
    if choices := [
        str(each)
        for each in getattr(getattr(param, "type_descriptor", None), "choices", None) or ()
    ]:
        named = (
            f"{' or '.join(error.param.opts)} " if error.param.param_type_name == "option" else ""
        )
        typed = re.match(r"Value error, (['\"])(.*)\1 is not one of ", error.message, re.DOTALL)
        if typed is None:
            return f"{named or 'a word '}is missing, one of {', '.join(choices)}; {fix}"
        wrong = f"{named}{typed[2]} is none of {', '.join(choices)}"
        return f"{wrong}; {_meant(typed[2], choices) or fix}"
    return f"{message.rstrip('.')}; {fix}"


def _ours(found: re.Match[str]) -> str:
    return "" if found[1].startswith("Value") else "must "


def _meant(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word.lower(), known, n=1)
    return f"did you mean {close[0]}?" if close else ""


def _meant_command(word: str, context: Any) -> str:
    """A command of this group, else one of another."""
    below = {
        name.rpartition(" ")[2]: name for name in _paths(context.find_root().command, "tandem")
    }
    if word in below:
        return f"did you mean {below[word]}?"
    return _meant(word, list(context.command.commands))


def _paths(group: Any, prefix: str) -> Iterator[str]:
    for name, command in group.commands.items():
        yield f"{prefix} {name}"
        if hasattr(command, "commands"):
            yield from _paths(command, f"{prefix} {name}")

"""Writes `docs/cli.md` from the commands. `make generate` writes the file, a test compares it."""

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from typer.main import get_command

from services.console.base import EXIT_CODES
from services.console.cli import app

HEAD = """# The command `tandem`

This page is written from the commands by `make generate`.

Settings come from `tandem.toml`, or the file that `TANDEM_CONFIG` names, under the environment
(`docs/settings.md`). `--tenant` may be left out where only one tenant is configured;
`TANDEM_TENANT` names one for a whole session.

- **Reading commands** ask the read model, an SQLite file in `console.data` that is brought up to
  date with the topics first. It can be deleted at any time and is rebuilt. They print a table, or
  JSON with `--json`.
- **Changing commands** send a message to the topic `signals` with an id of its own. The linker
  carries it out once, keeps its answer in `control` under `TENANT/signal/ID`, and tells the journal
  who asked for what. The command waits up to 10 s for the answer (times `console.patience`).
- **What is hard to take back** (`held release`, `held discard`, `links link`, `links pick`) is
  shown first: records side by side, orders with their sums. Then you are asked. Scripts say
  `--yes`; where nobody can be asked, nothing is done without it and the exit code is 2. What
  changes between showing and doing is refused, so that you look again.
- **Runs** (`replay`, `reconcile`, `rebuild --from-vendors`) are carried out by the services. The
  command shows a progress bar and can be left with Ctrl-C, or not waited for with `--detach`:
  `tandem runs` shows, pauses and cancels them.
- Results go to standard output, complaints to standard error, one line each. Into a file or a pipe
  nothing is broken or cut at the width of a screen. `tandem --install-completion` installs
  completion for the shell.

| Exit code | Meaning |
|---|---|
"""


def page() -> str:
    """The whole page."""
    codes = "".join(f"| {code} | {words} |\n" for code, words in sorted(EXIT_CODES.items()))
    named = list(commands(get_command(app)))
    listed = "".join(
        f"| [`{name}`](#{name.replace(' ', '-')}) | {_first(each)} |\n" for name, each in named
    )
    parts = [HEAD + codes, "\n## Commands\n\n| Command | What it does |\n|---|---|\n" + listed]
    return "".join([*parts, *(_section(name, each) for name, each in named)])


def commands(group: Any, prefix: str = "tandem") -> Iterator[tuple[str, Any]]:
    """Every command by its full name, in order, as Typer built it."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def _first(command: Any) -> str:
    return " ".join((command.help or "").split())


def _section(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [
        each for each in command.params if each.param_type_name == "option" and each.name != "help"
    ]
    words = [_placeholder(each) for each in arguments] + [
        f"{each.opts[0]} {_value(each)}" for each in options if each.required
    ]
    called = " ".join(
        [name, *words, *(["[OPTIONS]"] if any(not each.required for each in options) else [])]
    )
    lines = [f"\n## {name}\n\n    {called}\n", f"\n{_first(command)}\n"]
    if arguments or options:
        lines.append("\n| | |\n|---|---|\n")
        lines += [
            f"| `{_escaped(_placeholder(each))}` | {each.help or ''} |\n" for each in arguments
        ]
        lines += [f"| {_spelled(each)} | {_explained(each)} |\n" for each in options]
    return "".join(lines)


def _placeholder(argument: Any) -> str:
    name = argument.metavar or str(argument.name).upper()
    return name if argument.required else f"[{name}]"


def _value(option: Any) -> str:
    kind = option.type_descriptor.annotation
    if get_origin(kind) is Literal:
        return "|".join(map(str, get_args(kind)))
    return str(
        option.metavar
        or {"int": "NUMBER", "Path": "FILE"}.get(getattr(kind, "__name__", ""), "TEXT")
    )


def _spelled(option: Any) -> str:
    value = "" if option.is_flag else f" {_value(option)}"
    return ", ".join(
        f"`{_escaped(each + value)}`" for each in sorted(option.opts, key=len, reverse=True)
    )


def _explained(option: Any) -> str:
    words = [option.help or ""]
    if option.required:
        words.append("Required.")
    elif not option.is_flag and option.default is not None:
        words.append(f"Default: `{option.default}`.")
    if option.envvar:
        words.append(f"Variable: `{option.envvar}`.")
    return " ".join(words)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())

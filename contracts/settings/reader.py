"""Reads the settings: the file, the environment over it, and whatever is wrong in one line each."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import (
    SecretStr,
    ValidationError,
)
from pydantic_core import ErrorDetails

from contracts.entities import SYSTEMS, System
from contracts.settings.keys import dotted, every_key, generic, key_at, variable
from contracts.settings.models import Settings
from contracts.settings.values import (
    CONFIG_VARIABLE,
    DEFAULT_FILE,
    EXAMPLE_FILE,
    PREFIX,
    did_you_mean,
)


class Fault(NamedTuple):
    """One thing that is wrong: the full key, what is wrong with it, and the fix. Never a value."""

    key: str
    wrong: str
    fix: str


class SettingsError(Exception):
    """The settings cannot be used. Its text has one line per fault: key, what is wrong, the fix."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("\n".join(f"{fault.key}: {fault.wrong}; {fault.fix}" for fault in faults))
        self.faults = tuple(faults)


@dataclass(slots=True)
class _Reading:
    """What was read so far. `origins` tells which variable set a path, `needs` whose keys are read,
    `absent` that there is no settings file."""

    needs: Collection[System] = SYSTEMS
    absent: bool = False
    data: dict[str, Any] = field(default_factory=dict, repr=False)
    origins: dict[tuple[str, ...], str] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)

    def blame(self, key: str, wrong: str, fix: str) -> None:
        # The first fault of a key is its cause; a secret taken out of the file is not also missing.
        if all(fault.key != key for fault in self.faults):
            self.faults.append(Fault(key, wrong, fix))

    def put(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        table = self.data
        for part in path[:-1]:
            inner = table.get(part)
            table[part] = inner if isinstance(inner, dict) else {}
            table = table[part]
        table[path[-1]] = value
        self.origins[path] = origin
        if path[0] == "tenants":
            self.named.setdefault(path[1], origin)

    def unread(self, tenant: str, origin: str) -> None:
        """Take note of a tenant's variable without its value."""
        self.named.setdefault(tenant, origin)


def _set_it(path: tuple[str, ...]) -> str:
    key, name = key_at(path), variable(path)
    return (
        f"set {name} or {name}_FILE"
        if key and key.secret
        else f"set it in {DEFAULT_FILE} or {name}"
    )


def _unknown(path: tuple[str, ...]) -> str:
    *parent, word = path
    depth, above = len(parent), generic(path)[:-1]
    siblings = list(
        dict.fromkeys(key.path[depth] for key in every_key() if key.path[:depth] == above)
    )
    secret = key_at((*parent, word.removesuffix("_file")))
    if secret and secret.secret:
        return f"set {variable((*parent, word.removesuffix('_file')))}_FILE in the environment"
    if not difflib.get_close_matches(word.lower(), siblings, n=1):
        elsewhere = [
            key.path
            for key in every_key()
            if key.path[-1] == word and key.path[:2] == generic(path)[:2]
        ]
        if len(elsewhere) == 1:
            return f"did you mean {dotted((*path[:2], *elsewhere[0][2:]))}?"
    return did_you_mean(word, siblings)


def _wrong_words(error: ErrorDetails) -> str:
    match error["type"]:
        case "tandem":
            return error["msg"]
        case "literal_error":
            return f"must be {error['ctx']['expected']}"
        case "bool_parsing" | "bool_type":
            return "must be on or off"
        case "model_type" | "dict_type":
            return "must be a table, not a value"
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return "must be a whole number, such as 5"
        case "float_parsing" | "float_type" | "decimal_parsing" | "decimal_type" | "finite_number":
            return "must be a number, such as 0.5"
        case "string_type":
            return "must be text in quotes"
    if error["type"].startswith(("date_", "datetime_")):
        return "must be a date as year, month and day, such as 2026-01-31"
    words = re.sub(r"^(\w+ )?[Ii]nput should be", "must be", error["msg"])
    return re.sub(r"^(String|Value) should", "must", words).replace("; ", ", ").replace("\n", " ")


def _translate(error: ErrorDetails, reading: _Reading) -> None:
    """Say one of pydantic's errors in our words; its input is never looked at."""
    path = tuple(str(part) for part in error["loc"])
    if path[-1:] == ("[key]",):
        reading.blame(dotted(path[:-1]), error["msg"], "rename it")
    elif error["type"] == "missing":
        reading.blame(dotted(path), "is missing", _set_it(path))
    elif error["type"] == "extra_forbidden":
        reading.blame(dotted(path), "is an unknown key", _unknown(path))
    elif error["type"] == "tandem_faults":
        for name, wrong, *fix in error["ctx"]["faults"]:
            # A fault of the whole file carries its full path, one of a table the key in the table.
            at = (*path, name) if path else tuple(name.split("."))
            other_fix = _set_it(at) if wrong == "is missing" else _correct(at, reading)
            reading.blame(dotted(at), wrong, fix[0] if fix else other_fix)
    else:
        reading.blame(dotted(path), _wrong_words(error), _correct(path, reading))


def _correct(path: tuple[str, ...], reading: _Reading) -> str:
    for end in range(len(path), 0, -1):
        if path[:end] in reading.origins:
            return f"correct {reading.origins[path[:end]]}"
    return f"correct it in {DEFAULT_FILE}"


# --- reading
# ------------------------------------------------------------------------------------------------


def _read_toml(path: Path | None, environ: Mapping[str, str], reading: _Reading) -> None:
    named = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    source = "the settings file" if path else CONFIG_VARIABLE if named else DEFAULT_FILE
    of = f"names {_shown(named)}, which " if named and not path else ""
    try:
        reading.data = tomllib.loads((named or Path(DEFAULT_FILE)).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named:
            words = f"names {_shown(named)}, which does not exist"
            reading.blame(source, words, "create the file or correct the path")
        reading.absent = True
    except tomllib.TOMLDecodeError as error:
        # Only the position: the parser's words can quote what stands there.
        place = re.search(r"at line \d+, column \d+", str(error))
        where = place[0] if place else "at its end"
        fix = "correct it there (text needs quotes, each bracket its other half)"
        reading.blame(source, f"{of}is not valid TOML {where}", fix)
    except UnicodeDecodeError:
        reading.blame(source, f"{of}is not UTF-8 text", "save it as UTF-8")
    except IsADirectoryError:
        reading.blame(
            source,
            f"{of}cannot be read (it is a directory)",
            "name the file in it, or move it away",
        )
    except (OSError, ValueError) as error:
        reading.blame(
            source, f"{of}cannot be read ({_reason(error)})", "make it readable for this user"
        )


def _shown(path: Path) -> str:
    """A path as one line, whatever it holds."""
    text = str(path)
    return text if text.isprintable() else json.dumps(text)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "not a usable path"


def _refuse_secrets(reading: _Reading) -> None:
    """Take secrets out of what the file said, with a fault for each."""
    tenants = reading.data.get("tenants")
    names = list(tenants) if isinstance(tenants, dict) else []
    for key in (key for key in every_key() if key.secret):
        for name in names if key.path[0] == "tenants" else [""]:
            path = ("tenants", name, *key.path[2:]) if name else key.path
            table: Any = reading.data
            for part in path[:-1]:
                table = table.get(part) if isinstance(table, dict) else None
            if isinstance(table, dict) and table.pop(path[-1], None) is not None:
                fix = f"remove it (and change the secret), {_set_it(path)}"
                reading.blame(
                    dotted(path), f"is a secret and must not stand in {DEFAULT_FILE}", fix
                )


def _tenant_in(rest: str, known: list[str]) -> str:
    """The tenant's name that begins `DEMO__CHARGEBEE__...`; a known one may itself hold two
    underscores."""
    fitting = [name for name in known if rest.startswith(f"{name.upper()}__")]
    return max(fitting, key=len) if fitting else rest.partition("__")[0].lower()


def _overlay(environ: Mapping[str, str], reading: _Reading) -> None:
    tenants = reading.data.get("tenants")
    known = [str(name) for name in tenants] if isinstance(tenants, dict) else []
    for name in sorted(environ):
        # An empty variable is what `${NAME:-}` of a compose file leaves behind: not set.
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE and environ[name].strip():
            _place(name, environ[name].strip(), known, reading)


def _place(name: str, value: str, known: list[str], reading: _Reading) -> None:
    """Put one variable where it belongs."""
    rest = name.removeprefix(PREFIX)
    head: tuple[str, ...] = ()
    if rest.startswith("TENANTS__"):
        tenant = _tenant_in(rest.removeprefix("TENANTS__"), known)
        rest, head = rest[len(f"TENANTS__{tenant}__") :], ("tenants", tenant)
    for key in (key for key in every_key() if key.path[:1] == head[:1] or not head):
        tail = key.path[2:] if head else key.path
        own, path = "__".join(tail).upper(), (*head, *tail)
        if (
            key.secret
            and head
            and key.path[2] not in reading.needs
            and rest in (own, f"{own}_FILE")
        ):
            return reading.unread(path[1], name)
        if rest == own and key.secret:
            return _put_secret(path, SecretStr(value), name, reading)
        if rest == f"{own}_FILE" and key.secret:
            return _put_secret(path, _read_secret(path, value, name, reading), name, reading)
        if rest == own:
            return reading.put(path, _table(value) if key.table else value, name)
        if key.table and rest.startswith(f"{own}__"):
            entry = rest[len(own) + 2 :].lower().replace("__", ".")
            return reading.put((*path, entry), value, name)
    _unplaced(name, rest, head, reading)


def _table(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _read_secret(
    path: tuple[str, ...], file: str, name: str, reading: _Reading
) -> SecretStr | None:
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        # Not the path: a secret is easily put into the wrong one of the two variables.
        wrong = f"the file that {name} names cannot be read ({_reason(error)})"
        reading.blame(
            dotted(path), wrong, f"correct {name} or make the file readable for this user"
        )
        return None
    if not text:
        reading.blame(
            dotted(path), f"the file that {name} names is empty", "write the secret into it"
        )
    return SecretStr(text) if text else None


def _put_secret(
    path: tuple[str, ...], value: SecretStr | None, name: str, reading: _Reading
) -> None:
    if path in reading.origins:
        reading.blame(
            dotted(path), f"is set by both {reading.origins[path]} and {name}", "keep one of them"
        )
    elif value is not None:
        reading.put(path, value, name)


def _unplaced(name: str, rest: str, head: tuple[str, ...], reading: _Reading) -> None:
    path = (*head, *rest.lower().split("__")) if rest else head
    names = [
        variable((*head, *key.path[2:]) if head else key.path)
        for key in every_key()
        if bool(head) == (key.path[0] == "tenants")
    ]
    if any(other.startswith(f"{name}__") for other in names) or path == ("tenants",):
        return reading.blame(
            dotted(path), "must be a table, not a value", f"set {name}__... instead of {name}"
        )
    # Compared without the prefix, which would make everything a near miss. Other software sets flat
    # variables of our prefix (Kubernetes: TANDEM_PORT), so of those only near misses count.
    bare = [known.removeprefix(PREFIX) for known in names]
    close = difflib.get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=0.8)
    if close or "__" in name:
        fix = f"did you mean {PREFIX}{close[0]}?" if close else "remove it"
        reading.blame(dotted(path), f"is an unknown key (from {name})", fix)


def load(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    needs: Collection[System] = SYSTEMS,
    tenants: bool = False,
) -> Settings:
    """The settings of `path`, else of the file TANDEM_CONFIG names, else of ./tandem.toml if there
    is one.

    `environ` lies over the file; it is `os.environ` when omitted. `needs` are the systems whose
    keys the caller uses: theirs must be there, the others' are not even read and stand as
    `NOT_HELD`. With `tenants` there must be at least one. Raises SettingsError with all faults
    found.
    """
    variables = os.environ if environ is None else environ
    reading = _Reading(needs)
    _read_toml(path, variables, reading)
    if reading.faults:
        # What the unreadable file says would else be reported as missing.
        raise SettingsError(reading.faults)
    _refuse_secrets(reading)
    told = reading.data.get("tenants")
    known = [str(name) for name in told] if isinstance(told, dict) else []
    _overlay(variables, reading)
    _tenants_exist(known, tenants, reading)
    settings = _validated(reading)
    _keys_exist(reading)
    if settings is None or reading.faults:
        # Raised outside of every except block: a ValidationError in its context would hold the
        # input.
        raise SettingsError(reading.faults)
    return settings


def _tenants_exist(known: list[str], wanted: bool, reading: _Reading) -> None:
    """Take out tenants of which variables say only secrets and policies: their name is misspelt, or
    the file is not there. `known` are those of the file."""
    held = reading.data.get("tenants", {})
    strangers = [
        name for name in reading.named if name not in known and not _is_placed(held.get(name))
    ]
    if reading.absent and (strangers or (wanted and not held)):
        words = f"does not exist in {_shown(Path.cwd())}"
        fix = (
            f"copy {EXAMPLE_FILE} to it and change what differs, or let {CONFIG_VARIABLE} name "
            f"another file"
        )
        reading.blame(DEFAULT_FILE, words, fix)
    for name in strangers:
        held.pop(name, None)
        if not reading.absent:
            path = ("tenants", name)
            close = difflib.get_close_matches(name, known, n=1)
            fix = (
                f"did you mean {close[0]}?"
                if close
                else f"add [{dotted(path)}] there, or remove the variable"
            )
            reading.blame(
                dotted(path),
                f"is named by {reading.named[name]}, but {DEFAULT_FILE} has no such tenant",
                fix,
            )
    if wanted and not held and not reading.faults:
        fix = f"add a table [tenants.NAME] to {DEFAULT_FILE}; {EXAMPLE_FILE} shows one"
        reading.blame("tenants", "none is configured", fix)


def _is_placed(table: Any) -> bool:
    """Whether something says where a tenant's systems are."""
    if not isinstance(table, dict):
        return False
    wanted = {"chargebee": ("site", "base_url"), "poweroffice": ("environment", "base_url")}
    sides = [(table.get(side), keys) for side, keys in wanted.items()]
    return any(
        isinstance(inner, dict) and any(key in inner for key in keys) for inner, keys in sides
    )


def _keys_exist(reading: _Reading) -> None:
    """Blame each key of a needed system that is missing."""
    tenants = reading.data.get("tenants")
    for name, table in tenants.items() if isinstance(tenants, dict) else ():
        if not isinstance(table, dict) or any(
            fault.key == dotted(("tenants", name)) for fault in reading.faults
        ):
            continue  # what its fault says comes first
        for key in every_key():
            if key.needed and key.path[2] in reading.needs:
                inner, path = table.get(key.path[2], {}), ("tenants", name, *key.path[2:])
                if isinstance(inner, dict) and key.path[3] not in inner:
                    reading.blame(dotted(path), "is missing", _set_it(path))


def _validated(reading: _Reading) -> Settings | None:
    try:
        return Settings.model_validate(reading.data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        misnamed = {detail["loc"][:-1] for detail in details if detail["loc"][-1:] == ("[key]",)}
        for detail in details:
            # Whatever else is wrong with a misnamed tenant is told once it has a name.
            if detail["loc"][-1:] == ("[key]",) or detail["loc"][:2] not in misnamed:
                _translate(detail, reading)
    return None

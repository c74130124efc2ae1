"""What a check before the start found: printed by the adapters' check commands, shown by `tandem
doctor`."""

from typing import Literal

import msgspec

State = Literal["ok", "note", "finding"]


class Checked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: `check` names what was looked at, `words` say what was seen, `fix` what to do about
    it.

    ok: as it should be. note: worth knowing but blocking nothing, or not checked. finding: has to
    be corrected. `account` is the vendor account behind the keys, where a check met it: Go's
    ClientId, Chargebee's site.
    """

    check: str
    state: State
    words: str
    fix: str | None = None
    tenant: str | None = None
    account: str | None = None


def ok(check: str, words: str, *, account: str | None = None) -> Checked:
    """As it should be."""
    return Checked(check=check, state="ok", words=words, account=account)


def note(check: str, words: str, fix: str | None = None) -> Checked:
    """Worth knowing; nothing has to be corrected."""
    return Checked(check=check, state="note", words=words, fix=fix)


def finding(check: str, words: str, fix: str) -> Checked:
    """Has to be corrected."""
    return Checked(check=check, state="finding", words=words, fix=fix)


def not_checked(check: str, why: str) -> Checked:
    """Could not be looked at, since something before it failed."""
    return note(check, f"not checked: {why}")

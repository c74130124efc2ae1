"""What a check before the start found: printed by the adapters' check commands, shown by `tandem
doctor`."""

from typing import Literal

import msgspec

from contracts.said import Said, english, say

State = Literal["ok", "note", "finding"]


class Checked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line: `check` names what was looked at, `words` say what was seen, `fix` what to do about
    it.

    ok: as it should be. note: worth knowing but blocking nothing, or not checked. finding: has to
    be corrected. `account` is the vendor account behind the keys, where a check met it: Go's
    ClientId, Chargebee's site. `said` and `fix_said` are `words` and `fix` as sentences, where the
    page shows them.
    """

    check: str
    state: State
    words: str
    fix: str | None = None
    tenant: str | None = None
    account: str | None = None
    said: list[Said] = []
    fix_said: list[Said] = []


def ok(check: str, words: str | Said, *, account: str | None = None) -> Checked:
    """As it should be."""
    return _checked(check, "ok", words, None, account)


def note(check: str, words: str | Said, fix: str | Said | None = None) -> Checked:
    """Worth knowing; nothing has to be corrected."""
    return _checked(check, "note", words, fix)


def finding(check: str, words: str | Said, fix: str | Said) -> Checked:
    """Has to be corrected."""
    return _checked(check, "finding", words, fix)


def not_checked(check: str, why: str | Said) -> Checked:
    """Could not be looked at, since something before it failed."""
    return note(check, say("not_checked", why=why))


def _checked(
    check: str, state: State, words: str | Said, fix: str | Said | None, account: str | None = None
) -> Checked:
    return Checked(
        check=check,
        state=state,
        words=words if isinstance(words, str) else english(words),
        fix=english(fix) if isinstance(fix, Said) else fix,
        account=account,
        said=[words] if isinstance(words, Said) else [],
        fix_said=[fix] if isinstance(fix, Said) else [],
    )

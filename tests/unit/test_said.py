"""Sentences with a code: every code has both languages, is said somewhere with the arguments that
its words have, and what a vendor said is quoted."""

import ast
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from contracts.entities import FIELDS
from contracts.messages import Finding, FindingKind, Link, LinkState, Op, Problem
from contracts.said import SENTENCES, Said, english, say, within
from services.console.web.words import DIRECTORY, Words, catalogue

ROOT = Path(__file__).parents[2]
PRODUCTION = [
    path
    for folder in ("contracts", "runtime", "services")
    for path in (ROOT / folder).rglob("*.py")
]
NORWEGIAN = json.loads((DIRECTORY / "sentences.nb.json").read_bytes())


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def said_anywhere() -> Iterator[tuple[str, list[str], ast.Call]]:
    """Every call of `say`: where it stands, the codes that it may name, and the call."""
    for path in PRODUCTION:
        tree = ast.parse(path.read_text())
        names = {
            each.asname or each.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.module == "contracts.said"
            for each in node.names
            if each.name == "say"
        }
        for node in ast.walk(tree) if names else ():
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names:
                first = node.args[0] if node.args else None
                chosen = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                codes = [str(each.value) for each in chosen if isinstance(each, ast.Constant)]
                yield f"{path.relative_to(ROOT)}:{node.lineno}", codes, node


def test_every_code_has_both_languages_with_the_same_places() -> None:
    assert NORWEGIAN.keys() == SENTENCES.keys()
    assert {code: places(text) for code, text in NORWEGIAN.items()} == {
        code: places(text) for code, text in SENTENCES.items()
    }
    same = {code for code, text in SENTENCES.items() if text == NORWEGIAN[code]}
    assert {code for code in same if re.sub(r"{\w+}|\W", "", SENTENCES[code])} == set()


def test_every_code_is_said_with_the_arguments_that_its_words_have() -> None:
    met: set[str] = set()
    for place, codes, call in said_anywhere():
        assert codes, f"{place}: the code of a sentence is written out, so that it can be found"
        given = {each.arg for each in call.keywords}
        for code in codes:
            assert code in SENTENCES, f"{place}: there is no sentence {code!r}"
            if None not in given:  # none of them in a dictionary
                assert given == places(SENTENCES[code]), f"{place}: {code}"
        met.update(codes)
    assert met == SENTENCES.keys()


def test_whatever_stands_in_a_sentence_as_a_word_of_ours_is_in_the_catalogue() -> None:
    words = {
        *get_args(LinkState),
        *get_args(Op),
        *get_args(FindingKind),
        *FIELDS,
        *(name for fields in FIELDS.values() for name in fields),
    }
    assert words - catalogue("nb").keys() == set()


def test_a_refusal_is_norwegian_and_what_the_vendor_said_is_quoted() -> None:
    norsk, words = Words("nb"), Words("en")
    theirs = Problem(code="refused", message="Email is not valid")
    told = [say("refused", system="poweroffice", why=theirs.why)]
    assert english(*told) == "poweroffice refused: Email is not valid"
    assert norsk.said(told) == "Go avviste: «Email is not valid»"
    assert words.said(told) == "Go refused: “Email is not valid”"
    ours = Problem.of("missing", say("order_lacks", what="currency"), "currency")
    assert ours.message == "the order has no currency; fill it in PowerOffice Go"
    told = [say("refused", system="poweroffice", why=ours.why)]
    assert norsk.said(told) == "Go avviste: ordren mangler valuta; fyll ut i PowerOffice Go"


def test_a_sentence_in_a_sentence_is_in_the_same_language() -> None:
    inner = say("first_snapshots")
    told = [say("needs_why", entity="customer", id="7", state="pending", why=[inner])]
    assert english(*told) == ("customer 7 is pending: waits for the first snapshot of both systems")
    assert Words("nb").said(told) == (
        "kunde 7 er til behandling: venter på den første lesingen av begge systemene"
    )


@pytest.mark.parametrize("told", [[Said("of_a_later_release")], [Said("refused", {"why": "x"})]])
def test_what_a_later_release_says_stands_in_its_english(told: list[Said]) -> None:
    assert Words("nb").said(told, "the words beside it") == "the words beside it"


def test_what_an_older_release_wrote_stands_in_its_english() -> None:
    assert Words("nb").said([], "its words") == "its words"


def test_a_message_without_sentences_is_as_long_as_before() -> None:
    for held in (
        Link(tenant="t", entity="customer", key="k"),
        Problem(code="c", message="m"),
        Finding(kind="dropped", text="t", todo="d"),
    ):
        assert b"said" not in msgspec.json.encode(held)


def test_a_sentence_survives_the_topic() -> None:
    link = Link(tenant="t", entity="order", key="k", said=[say("parked", system="x", why="y")])
    again = msgspec.json.decode(msgspec.json.encode(link), type=Link)
    assert again == link


def test_of_many_reasons_the_first_are_kept_whole() -> None:
    said: list[Any] = [say("needs_unknown", entity="product", id=str(n)) for n in range(100)]
    kept = within(said, 500)
    assert 0 < len(english(*kept)) <= 500
    assert kept == said[: len(kept)]
    assert within(said[:1], 3) == said[:1]

"""Links that are packed in memory are a dictionary to whoever asks, and old ones do not pile up."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.linker import packed
from services.linker.packed import TOGETHER, Links
from tests.examples import examples

PLAIN = 24


@pytest.fixture(autouse=True, scope="module")
def few_plain() -> Iterator[None]:
    """So few are kept as they are that most are packed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "PLAIN", PLAIN)
        yield


def _value(name: str, version: int) -> bytes:
    return f'{{"key":"{name}","version":{version},"text":"Storgata 12"}}'.encode()


@examples(200)
@given(seed=st.integers(0, 2**32))
def test_packed_links_are_a_dictionary(seed: int) -> None:
    """Whatever was set, changed, removed, packed and read before, and in the same order."""
    pick = random.Random(seed)
    links, expected = Links(), dict[str, bytes]()
    for version in range(400):
        name = f"customer/{pick.randrange(90)}"
        what = pick.random()
        if what < 0.5:
            links[name] = expected[name] = _value(name, version)
        elif what < 0.6:
            expected.pop(name, None)
            expected[name] = _value(name, version)
            links.put_last(name, expected[name])
        elif what < 0.8:
            assert links.pop(name, None) == expected.pop(name, None)
        elif what < 0.82:
            links.pack()
        assert links.find(name) == expected.get(name)
        assert (name in links, len(links)) == (name in expected, len(expected))
    assert list(links.items()) == list(links.walk()) == list(expected.items())


def test_a_name_that_is_not_there_is_a_key_error() -> None:
    links = Links()
    with pytest.raises(KeyError):
        links["customer/kari"]
    with pytest.raises(KeyError):
        del links["customer/kari"]


@examples(50)
@given(seed=st.integers(0, 2**32))
def test_what_is_kept_of_old_links_is_bounded(seed: int) -> None:
    """A block holds at most as many links that were changed since as links that were not, so
    changing all of them many times keeps no more blocks than there is use for."""
    pick = random.Random(seed)
    links, count = Links(), 200
    for version in range(3000):
        name = f"customer/{pick.randrange(count)}"
        links[name] = _value(name, version)
    blocks = {each for each in links._held.values() if isinstance(each, packed._Block)}
    kept = sum(len(each.names) for each in blocks)
    assert blocks and kept <= 2 * count + TOGETHER
    for block in blocks:
        assert block.left == sum(links._held[name] is block for name in block.names)
    assert len(links._plain) < PLAIN


def test_links_that_are_alike_take_a_fraction_of_their_bytes() -> None:
    links = Links()
    for number in range(1000):
        links[f"customer/{number}"] = _value(f"customer/{number}", number) * 8
    links.pack()
    blocks = {each for each in links._held.values() if isinstance(each, packed._Block)}
    assert len(blocks) == 1000 // TOGETHER
    assert 4 * sum(len(each.packed) for each in blocks) < sum(map(len, links.values()))

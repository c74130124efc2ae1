"""Benchmarks run; what they measure is looked at by a person."""

import asyncio
from collections.abc import AsyncIterator

from benchmarks import shared_keys


def test_the_benchmark_of_shared_keys_prints_a_row_for_each_size() -> None:
    """At a small size: a head, and one row whose figures are above nothing."""

    async def lines(of: AsyncIterator[str]) -> list[str]:
        return [line async for line in of]

    head, row = asyncio.run(lines(shared_keys.measure(12)))
    assert all(name in head for name in shared_keys.COLUMNS)
    size, *figures = (int(each.replace(",", "")) for each in row.split())
    assert size == 12 and len(figures) == 3 and min(figures) > 0

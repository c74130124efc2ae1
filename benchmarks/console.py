"""How long the console's search takes in a read model of many links, beside looking through all
words, and what its page takes."""

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from benchmarks.restore import link
from contracts.settings import Settings
from services.console.model import ReadModel
from services.console.model_rows import Mirrored
from services.console.web.app import WebConsole
from services.console.web.health import HealthWatch
from services.console.web.outside import outside

AT_ONCE, TIMES, REJECTED_EVERY = 2000, 7, 500
TOKEN = "a-token-of-the-benchmark"
TEXTS = ("nordmann-77", ".no", "no such name", "1000123", "zq")
_TENANT: dict[str, Any] = {
    "chargebee": {"site": "bench-test", "prices": "net"},
    "poweroffice": {"environment": "demo"},
}


async def measure(count: int) -> AsyncIterator[str]:
    """Fill a model; then each text, medians in milliseconds: all links looked through, the first
    101 by the index, of those rejected alone, and the whole page."""
    with tempfile.TemporaryDirectory() as data, closing(ReadModel(Path(data), "x")) as model:
        begun = time.process_time()
        for begin in range(0, count, AT_ONCE):
            model.apply(list(_links(begin, min(count, begin + AT_ONCE))), {}, {})
        size_mb = model.path.stat().st_size / 1e6
        yield f"filled in {time.process_time() - begun:.1f} s of CPU, {size_mb:.0f} MB"
        settings = Settings.model_validate(
            {"console": {"token": TOKEN, "data": data}, "tenants": {"bench": _TENANT}}
        )
        browser = _browser(settings, model)
        await browser.post("/login", data={"password": TOKEN})
        page = (await browser.get("/bench/records")).text
        form = {"csrf": page.partition('name="csrf" value="')[2].partition('"')[0]}
        heads = ("found", 8), ("looked through", 16), ("index", 8), ("rejected", 10), ("page", 8)
        yield f"{'text':<16}" + "".join(f"{name:>{width}}" for name, width in heads)
        for text in TEXTS:
            scanned_ms, found = _median_ms(partial(_looked_through, model, text))
            index_ms, _ = _median_ms(partial(_found, model, text))
            rejected_ms, _ = _median_ms(partial(_found, model, text, states=["rejected"]))
            page_ms = statistics.median(
                [await _page_ms(browser, {**form, "text": text}) for _ in range(TIMES)]
            )
            yield (
                f"{text:<16}{found:>8}{scanned_ms:>16.1f}{index_ms:>8.1f}{rejected_ms:>10.1f}"
                f"{page_ms:>8.1f}"
            )
        await browser.aclose()


def _links(begin: int, end: int) -> Iterator[Mirrored]:
    for number in range(begin, end):
        value = link(number)
        if number % REJECTED_EVERY == 0:
            value = value.replace(b'"state":"linked"', b'"state":"rejected"')
        yield Mirrored("links", f"bench/customer/kari-{number}", value)


def _looked_through(model: ReadModel, text: str) -> int:
    asked = "select value from links where tenant = 'bench' and instr(words, ?) > 0"
    return len(model._db.execute(asked, (text,)).fetchall())


def _found(model: ReadModel, text: str, **more: Any) -> int:
    return len(list(model.find("bench", text, None, most=101, **more)))


def _median_ms(call: Callable[[], int]) -> tuple[float, int]:
    taken, found = [], 0
    for _ in range(TIMES):
        begun = time.perf_counter()
        found = call()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken), found


def _browser(settings: Settings, model: ReadModel) -> httpx.AsyncClient:
    page = WebConsole(settings, lambda: model, outside(settings), HealthWatch(settings))
    return httpx.AsyncClient(transport=httpx.ASGITransport(page.app()), base_url="http://console")


async def _page_ms(browser: httpx.AsyncClient, form: dict[str, str]) -> float:
    begun = time.perf_counter()
    answer = await browser.post("/bench/records", data=form)
    taken_ms = (time.perf_counter() - begun) * 1000
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"the page answered {answer.status_code}")
    return taken_ms

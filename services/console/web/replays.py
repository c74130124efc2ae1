"""A replay that a form of the page asks for: first a dry run, then what that has shown."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from contracts import signals
from contracts.entities import ENTITIES, EntityName
from contracts.said import say
from contracts.settings import Tenant
from services.console.base import NotFound
from services.console.lookup import require_known
from services.console.model import ReadModel
from services.console.ranges import Moment, moment_of

Ranges = dict[str, tuple[int, int]]
RangesOf = Callable[[str, Moment, Moment | None, EntityName | None, datetime], Awaitable[Ranges]]


async def meant(
    model: ReadModel,
    tenant: str,
    settings: Tenant,
    form: Mapping[str, str],
    ranges_of: RangesOf,
    now: datetime,
) -> signals.Replay:
    """The dry run of the range that a form names; with `run`, the id of a dry run that is done, the
    same for real. Raises Wrong and ValueError for what does not fit, and NotFound."""
    given = {name: value.strip() for name, value in form.items() if value.strip()}
    if run_id := given.get("run"):
        return _for_real(model, tenant, run_id)
    begin = moment_of(given.get("from", ""), settings.zone, now)
    end = moment_of(given["to"], settings.zone, now) if "to" in given else None
    entity: EntityName | None = next((e for e in ENTITIES if e == given.get("entity")), None)
    if (record := given.get("id")) is not None:
        require_known(model, tenant, entity, record)
    args: dict[str, Any] = {n: given[n] for n in ("entity", "id", "side") if n in given}
    signals.made(signals.Replay, {"ranges": {}, **args})  # before Kafka is asked
    ranges = await ranges_of(tenant, begin, end, entity, now)
    return signals.made(signals.Replay, {"ranges": ranges, **args, "dry_run": True})


def _for_real(model: ReadModel, tenant: str, run_id: str) -> signals.Replay:
    fact = model.fact(tenant, "run", run_id) or {}
    if (fact.get("kind"), fact.get("state"), fact.get("dry_run")) != ("replay", "done", True):
        raise NotFound(say("unknown_run", id=run_id))
    said = signals.made(signals.Replay, fact["args"])
    return msgspec.structs.replace(said, dry_run=False)

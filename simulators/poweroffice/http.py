"""A request as a handler sees it, the reply it gives, and reading a posted body."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from simulators.faults import Fault
from simulators.poweroffice.errors import BindingError, Refusal
from simulators.poweroffice.fields import Field, Record, Schema, coerce

if TYPE_CHECKING:
    from simulators.poweroffice.state import Go

JSON: Final = "application/json"


@dataclass(frozen=True)
class Client:
    """One holder of keys; `name` tells its requests apart in the log."""

    name: str
    application_key: str
    client_key: str
    subscription_key: str


@dataclass(frozen=True)
class Call:
    """`ids` are the path's parameters, `query` has lower-case names, `url` is the address without
    query."""

    client: Client
    privileges: frozenset[str]
    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    content_type: str
    url: str
    fault: Fault | None = None

    def int_id(self, name: str = "id") -> int:
        return int(self.ids[name])

    def uuid_id(self, name: str = "id") -> str:
        return str(UUID(self.ids[name]))


@dataclass(frozen=True)
class Reply:
    """`body` None sends no body; `changed` says that state was changed."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    changed: bool = False


Handler = Callable[["Go", Call], Reply]


def refused(refusal: Refusal, problem_media_type: str = JSON) -> Reply:
    headers = dict(refusal.headers)
    if refusal.body is not None:
        headers["content-type"] = problem_media_type if refusal.is_problem else JSON
    return Reply(refusal.status, refusal.body, headers)


def json_body(call: Call) -> Any:
    """The parsed body. Raises BindingError as the web framework does for missing or broken JSON."""
    if not call.body.strip():
        raise BindingError({"": ["A non-empty request body is required."]})
    try:
        return json.loads(call.body)
    except ValueError:
        raise BindingError({"$": ["The request body is not valid JSON."]}) from None


def posted(schema: Schema, values: Any, *, refuse_unknown: bool, at: str = "$") -> Record:
    """Check a POST body against the P fields of a table; absent ones are left out of the result.

    Names are taken in any letter case. Unknown and read-only ones are ignored unless
    `refuse_unknown`.
    """
    if not isinstance(values, dict):
        raise BindingError({at: ["A JSON object is expected."]})
    record: Record = {}
    errors: dict[str, list[str]] = {}
    for name, value in values.items():
        spec = schema.find(name, "P")
        if spec is None:
            if refuse_unknown:
                reason = f"The property '{name}' could not be mapped to {schema.entity}PostDto."
                errors[f"{at}.{name}"] = [reason]
            continue
        try:
            record[spec.name] = _posted_value(
                schema, spec, value, refuse_unknown, f"{at}.{spec.name}"
            )
        except ValueError as error:
            errors[f"{at}.{spec.name}"] = [f"The value could not be converted: {error}."]
    if errors:
        raise BindingError(errors)
    return record


def _posted_value(schema: Schema, spec: Field, value: Any, refuse_unknown: bool, at: str) -> Any:
    inner = schema.nested.get(spec.name)
    if inner is None or value is None:
        return coerce(spec, value)
    given = posted(inner, value, refuse_unknown=refuse_unknown, at=at)
    return {one.name: given.get(one.name, one.default) for one in inner.fields}

"""The keys, as the models define them."""

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args, get_origin

from pydantic import (
    BaseModel,
    SecretStr,
)
from pydantic.fields import FieldInfo

from contracts.settings.models import Settings
from contracts.settings.values import NOT_HELD, PREFIX


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. `path` has `*` in the place of the tenant's name."""

    path: tuple[str, ...]
    info: FieldInfo

    @property
    def secret(self) -> bool:
        """Whether the value comes from the environment only."""
        return SecretStr in (self.info.annotation, *get_args(self.info.annotation))

    @property
    def needed(self) -> bool:
        """Whether it is a secret without which its vendor cannot be reached."""
        return self.info.default is NOT_HELD

    @property
    def table(self) -> bool:
        """Whether the value is a table with free keys."""
        return get_origin(self.info.annotation) is dict


def _walk(model: type[BaseModel], prefix: tuple[str, ...]) -> Iterator[Key]:
    for name, info in model.model_fields.items():
        path = (*prefix, info.alias or name)
        inner = (
            get_args(info.annotation)[-1]
            if get_origin(info.annotation) is dict
            else info.annotation
        )
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _walk(inner, path if inner is info.annotation else (*path, "*"))
        else:
            yield Key(path, info)


@functools.cache
def every_key() -> tuple[Key, ...]:
    """Every setting, in the order of the models."""
    return tuple(_walk(Settings, ()))


def generic(path: tuple[str, ...]) -> tuple[str, ...]:
    return ("tenants", "*", *path[2:]) if path[:1] == ("tenants",) and len(path) > 1 else path


def key_at(path: tuple[str, ...]) -> Key | None:
    return next((key for key in every_key() if key.path == generic(path)), None)


def dotted(path: tuple[str, ...]) -> str:
    """A path as a TOML key, with quotes where TOML needs them; always one line."""
    return ".".join(
        part if re.fullmatch(r"[A-Za-z0-9_*-]+", part) else json.dumps(part) for part in path
    )


def variable(path: tuple[str, ...]) -> str:
    """The environment variable of a path."""
    return PREFIX + "__".join(re.sub(r"[^A-Z0-9_*-]", "__", part.upper()) for part in path)

"""Which Tandem this is."""

import tomllib
from importlib import metadata
from pathlib import Path

NAME = "tandem"


def version() -> str:
    """The version of the installed package; of the source beside it where none is installed, as in
    a copied tree."""
    try:
        return metadata.version(NAME)
    except metadata.PackageNotFoundError:
        pass
    try:
        held = tomllib.loads(
            (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
        )
    except (OSError, ValueError):
        return "unknown"
    return str(held["project"]["version"])

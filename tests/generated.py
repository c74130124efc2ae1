"""Every file that is written from the code: `python -m tests.generated` (`make generate`) writes
them anew.

`tests/unit/test_generated.py` compares each with what is committed.
"""

from pathlib import Path

from contracts import asyncapi, schema
from contracts.entities import page as fields
from contracts.settings import page as settings_page
from runtime import adapter_metrics, metrics, metrics_page
from runtime.version import version
from services.chargebee_adapter import metrics as webhook_metrics
from services.console import metrics as console_metrics
from services.console import pages
from services.linker import metrics as linker_metrics

ROOT = Path(__file__).parents[1]
DECLARED = [
    declared
    for held in (
        metrics.COMMON,
        metrics.WRITING,
        adapter_metrics.METRICS,
        webhook_metrics.METRICS,
        linker_metrics.METRICS,
        console_metrics.METRICS,
    )
    for declared in held.declared
]  # every metric of every service


def generated() -> dict[Path, str]:
    """Each file with the text that it should hold."""
    docs = ROOT / "docs"
    return {
        docs / "asyncapi.json": asyncapi.text(version()),
        docs / "cli.md": pages.page(),
        docs / "fields.md": fields.page(),
        docs / "metrics.md": metrics_page.page(DECLARED),
        docs / "settings.md": settings_page.markdown(),
        **{schema.DIRECTORY / f"{name}.json": schema.text(name) for name in schema.TYPES},
    }


def stale() -> dict[Path, str | None]:
    """What is committed and differs, with its right text; None for a schema that describes nothing
    any more."""
    wanted = generated()
    left = set(schema.DIRECTORY.iterdir()) - set(wanted)
    differing = {
        path: text for path, text in wanted.items() if not path.exists() or _read(path) != text
    }
    return {**differing, **dict.fromkeys(left)}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> None:
    """Write what differs, remove what is left over, and name both."""
    for path, text in sorted(stale().items()):
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        print(f"{'removed' if text is None else 'written'} {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()

"""What is written from the code stands in the repository as the code would write it."""

from pathlib import Path

import pytest

from contracts import schema
from tests import generated


def test_what_is_generated_is_committed() -> None:
    """A changed message, setting, field or command shows in the diff; `make generate` writes the
    files anew."""
    assert [str(path.relative_to(generated.ROOT)) for path in generated.stale()] == []


def test_a_file_left_over_is_removed_and_one_that_differs_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A schema of a message that is gone would be taken for a promise."""
    here = {path: tmp_path / path.name for path in generated.generated()}
    texts = {here[path]: text for path, text in generated.generated().items()}
    monkeypatch.setattr(generated, "ROOT", tmp_path)
    monkeypatch.setattr(generated, "generated", lambda: texts)
    monkeypatch.setattr(schema, "DIRECTORY", tmp_path)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    (tmp_path / "gone.json").write_text("{}", encoding="utf-8")
    (tmp_path / "cli.md").write_text("old", encoding="utf-8")
    generated.main()
    assert capsys.readouterr().out == "written cli.md\nremoved gone.json\n"
    assert generated.stale() == {}


@pytest.mark.parametrize("name", sorted(schema.TYPES))
def test_a_schema_is_the_same_on_every_python(name: str) -> None:
    """From 3.13 on docstrings lose their indentation when they are compiled; before, it would stand
    in the text."""
    assert "\\n   " not in schema.text(name)

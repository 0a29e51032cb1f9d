from __future__ import annotations

import re
from pathlib import Path

import pytest

PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("document", ["README.md", "docs/campaigns.md", "docs/generate.md"])
def test_the_python_blocks_run(document: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = PYTHON.findall((root / document).read_text(encoding="utf-8"))
    assert blocks
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:  # one after the other, as a reader would type them
        exec(compile(block, document, "exec"), names)


def test_links_between_documents_lead_somewhere(root: Path) -> None:
    for path in [*root.glob("*.md"), *(root / "docs").rglob("*.md")]:
        for target in LINK.findall(path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_every_benchmark_is_documented_and_every_documented_one_is_there(root: Path) -> None:
    named = set(re.findall(r"benchmarks/(\w+)\.py", (root / "docs" / "benchmarks.md").read_text(encoding="utf-8")))
    present = {path.stem for path in (root / "benchmarks").glob("*.py")}
    assert named == present


def test_a_word_of_the_glossary_has_one_row(root: Path) -> None:
    rows = re.findall(r"^\| (\*\*.+?) \|", (root / "docs" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    words = [word for row in rows for word in re.findall(r"\*\*(.+?)\*\*", row)]
    assert len(words) > 100
    assert sorted(words) == sorted(set(words))

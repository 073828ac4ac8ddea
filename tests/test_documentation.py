"""README.md and the pages of docs/ are true: their Python runs and prints what they say.

The ``python`` blocks of a page are one program, its ``output`` blocks are what that prints.
Blocks marked ``py`` are fragments and are not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import interaqt
from interaqt.core import errors as errors_module

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(?P<kind>python|output)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, kind: str) -> list[str]:
    return [found["text"] for found in BLOCK.finditer(page.read_text("utf-8")) if found["kind"] == kind]


PAGES = [page for page in (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))) if blocks(page, "python")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_runs_and_prints_what_it_says(page: Path, tmp_path: Path) -> None:
    program = tmp_path / "page.py"
    program.write_text("\n\n".join(blocks(page, "python")), "utf-8")

    run = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "".join(blocks(page, "output"))


def test_links_of_the_readme_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))

    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_reference_has_every_public_name() -> None:
    text = "".join(page.read_text("utf-8") for page in ROOT.glob("docs/reference/*.md"))
    named = set(re.findall(r"^::: interaqt\.(\w+)$", text, re.MULTILINE))
    errors = {name for name in errors_module.__all__ if hasattr(interaqt, name)}

    assert named | errors == set(interaqt.__all__)

"""What the type checkers make of models: ``pass.py`` is clean, and of the others each marked line is refused.

``# E: code`` at the end of a line says that mypy has an error of that code there. A line without a
mark that is refused, and a marked one that is not, both fail the test.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FILES = sorted(path for path in HERE.glob("*.py") if path.stem == "pass" or path.stem.startswith("fail_"))

ERROR = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: .*\[(?P<code>[\w-]+)\]$")
MARK = re.compile(r"# E: (?P<code>[\w-]+)$")

Lines = dict[int, set[str]]


@pytest.fixture(scope="module")
def errors() -> dict[str, Lines]:
    """What mypy says of all files in one run: the codes at each line, by file."""
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *(str(path.relative_to(ROOT)) for path in FILES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Lines] = defaultdict(lambda: defaultdict(set))
    for line in run.stdout.splitlines():
        error = ERROR.match(line)
        if error is not None:
            found[Path(error["file"]).name][int(error["line"])].add(error["code"])
    assert found, run.stdout + run.stderr
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_mypy_refuses_the_marked_lines_and_no_other(path: Path, errors: dict[str, Lines]) -> None:
    marked = {
        number: mark["code"]
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (mark := MARK.search(line)) is not None
    }
    found = errors.get(path.name, {})
    assert sorted(found) == sorted(marked)
    assert {number: code for number, code in marked.items() if code not in found[number]} == {}


def test_pyright_has_nothing_to_say_of_what_is_right() -> None:
    command = Path(sys.executable).with_name("pyright")
    pyright = str(command) if command.exists() else shutil.which("pyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    run = subprocess.run(
        [pyright, "tests/typing/pass.py", "examples"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.stdout.strip().endswith("0 errors, 0 warnings, 0 informations"), run.stdout + run.stderr

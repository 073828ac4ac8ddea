"""The benchmarks run, each section on a little, and interaqt leaves the same rows as the code written by hand.

That the rows are equal, and every derived value right, each section asks of itself; here it is only run.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import SECTIONS, main
from benchmarks.cases.baskets import BASKETS
from benchmarks.cases.beyond import BEYOND, DebtCase, EssayCase, LoanCase
from benchmarks.cases.others import OTHERS
from tests.conftest import POSTGRESQL
from tests.databases import MYSQL, ON_EACH, ON_SERVERS

SMALL = ["--rounds", "1", "--batch", "3", "--sizes", "4", "8", "--rows", "300", "--events", "20", "--processes", "2"]
NO_SERVER = "postgresql://postgres@127.0.0.1:1/postgres"


def lines(tmp_path: Path, *arguments: str) -> list[dict[str, object]]:
    """What a run of the command came to."""
    report = tmp_path / "report.json"
    main([*arguments, *SMALL, "--postgresql", POSTGRESQL, "--mysql", MYSQL, "--json", str(report)])
    found: list[dict[str, object]] = json.loads(report.read_text("utf-8"))["lines"]
    return found


@pytest.fixture(params=ON_EACH)
def on(request: pytest.FixtureRequest) -> list[str]:
    """Each database in turn, if its server is there."""
    request.getfixturevalue(f"{request.param}_db")
    return ["--on", request.param]


def test_the_social_example(tmp_path: Path, on: list[str]) -> None:
    assert [line["what"] for line in lines(tmp_path, "social", *on)] == ["like_post", "create_post", "change_state"]


def test_each_computation(tmp_path: Path) -> None:
    found = lines(tmp_path, "computations", "--on", "sqlite")
    assert [line["what"] for line in found] == [case.name for case in (*BASKETS, *OTHERS, *BEYOND)]


@pytest.mark.parametrize(
    ("name", "case", "step"),
    [("RealTime", LoanCase, "extend"), ("asynchronous Custom", EssayCase, "_put"), ("locks=", DebtCase, "pay_back")],
)
def test_what_is_not_done_by_hand_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, case: type, step: str
) -> None:
    monkeypatch.setattr(case, step, lambda *arguments: None)
    with pytest.raises(AssertionError, match=f"{name}: .* left different rows"):
        lines(tmp_path, "computations", "--on", "sqlite", "--only", name)


@pytest.mark.parametrize("on", ON_SERVERS, indirect=True)
def test_computations_of_each_shape(tmp_path: Path, on: list[str]) -> None:
    some = ("Every", "First", "Custom", "Transform from a record", "dictionary", "RealTime", "locks")
    assert len(lines(tmp_path, "computations", *on, "--only", *some)) == 9


def test_growth(tmp_path: Path, on: list[str]) -> None:
    assert len(lines(tmp_path, "growth", *on, "--only", "Maximum", "symmetric")) == 3


def test_a_batch(tmp_path: Path, on: list[str]) -> None:
    assert [line["goal"] for line in lines(tmp_path, "batch", *on)] == [0.1, None]


def test_a_rebuild(tmp_path: Path, on: list[str]) -> None:
    assert len(lines(tmp_path, "rebuild", *on)) == 2 * 4 + 1


def test_several_processes(tmp_path: Path, on: list[str]) -> None:
    assert len(lines(tmp_path, "processes", *on)) == 2


@pytest.mark.parametrize("on", ON_SERVERS, indirect=True)
def test_a_network_that_takes_its_time(tmp_path: Path, on: list[str]) -> None:
    found = lines(tmp_path, "network", *on, "--delay", "5")
    assert len(found) == 3
    # Each dispatch waits once at least, and less often than who waits for every statement.
    assert all(10_000 < float(str(line["ours"])) < float(str(line["baseline"])) for line in found)


def test_a_large_model(tmp_path: Path) -> None:
    assert [line["goal"] for line in lines(tmp_path, "setup", "--on", "sqlite")] == [None, 1.0]


def test_a_server_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    main(["social", "--on", "sqlite", "postgresql", *SMALL, "--postgresql", NO_SERVER])

    out = capsys.readouterr().out
    assert "# PostgreSQL left out: " in out
    rows = [line.split("|")[1:3] for line in out.splitlines() if line.startswith("|")][2:]
    assert {row[1].strip() for row in rows} == {"SQLite"}


def test_every_section_is_tried_here() -> None:
    tried = {"social", "computations", "growth", "batch", "rebuild", "processes", "network", "setup"}
    assert set(SECTIONS) == tried

"""Random models and histories: after each step the database holds what the declarations mean.

``--oracle=N`` sets the number of models; a failing example prints its model and its steps, which
are Python that can be pasted into ``test_found.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from interaqt.storage.database import Database
from tests.databases import fresh_embedded, fresh_mysql, fresh_postgresql
from tests.oracle.conftest import memory
from tests.oracle.drawing.text import Schema
from tests.oracle.histories import Session, steps
from tests.oracle.models import schemas
from tests.oracle.reduction import Case, reduced

#: Each shard looks elsewhere, so that they can run beside each other.
SHARDS = 8
POSTGRESQL_SHARE = 0.3
MYSQL_SHARE = 0.1
EMBEDDED_SHARE = 0.1


class Failure(BaseException):
    """A model and a history after which something is not as it should be.

    No Exception, so that Hypothesis lets it through: it is made small here, by its text.
    """


def play(data: st.DataObject, schema: Schema, database: Database) -> None:
    """Draw a history and do it step by step."""
    done: list[str] = []
    try:
        session = Session(schema.source, database)
        for _ in range(data.draw(st.integers(1, 14))):
            text = data.draw(steps(schema, session.numbers()))
            if text is not None:
                done.append(text)
                session.step(text)
                if session.over:
                    return
                session.check()
        session.check(whole=True)
    except Exception as error:
        if getattr(error, "code", "") in ("real_time.no_time", "setup.dictionaries"):
            # A condition that never holds is found to be one, and the time behind it is not asked.
            return
        if "more than 256 paths" in str(error):
            # A callback that decides so often is refused, in these words.
            return
        if "parser stack overflow" in str(error):
            # SQLite before 3.47 takes expressions of a hundred levels; where one is deeper it says so.
            return
        raise Failure(Case(schema.source, tuple(done)), error) from error


def replay(case: Case, database: Database) -> Exception | None:
    """What goes wrong with a model and a history, if anything does."""
    try:
        session = Session(case.source, database)
        for step in case.steps:
            session.step(step)
            if session.over:
                return None
            session.check()
        session.check(whole=True)
    except Exception as error:
        return error
    return None


def search(examples: int, shard: int, database: Callable[[], Any]) -> None:
    """Try models; the first that fails is made small and shown."""

    @seed(shard)
    @settings(
        max_examples=max(1, examples),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), schemas())
    def run(data: st.DataObject, schema: Schema) -> None:
        with database() as found:
            play(data, schema, found)

    try:
        run()
    except Failure as failure:
        case, first = failure.args
        kind = kind_of(first)

        def fails(smaller: Case) -> bool:
            with database() as found:
                error = replay(smaller, found)
            return error is not None and kind_of(error) == kind

        case = reduced(case, fails)
        with database() as found:
            error = replay(case, found) or first
    else:
        return
    pytest.fail(f"{case}\n\n{type(error).__name__}: {error}", pytrace=False)


def kind_of(error: Exception) -> tuple[str, ...]:
    """What sort of failure it is: the same for a smaller case that fails in the same way."""
    if not isinstance(error, AssertionError):
        return type(error).__name__, getattr(error, "code", str(error))
    words = (
        "should be admitted",
        "is admitted",
        "there are",
        "but should be",
        "should be None",
        "told of",
        "changed",
        "but it is",
        "side effects",
        " in ",
    )
    refused = re.search(r"is not: (\w+)", str(error))
    return refused.group(1) if refused else "", *(word for word in words if word in str(error))


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_database_holds_what_the_declarations_mean(shard: int, examples: int) -> None:
    search(examples // SHARDS, shard, memory)


@pytest.mark.postgresql
@pytest.mark.parametrize("shard", range(2))
def test_the_same_on_postgresql(shard: int, examples: int, hasty_postgresql: str) -> None:
    search(int(examples * POSTGRESQL_SHARE / 2), 1000 + shard, lambda: fresh_postgresql(hasty_postgresql))


@pytest.mark.mysql
@pytest.mark.parametrize("shard", range(2))
def test_the_same_on_mysql(shard: int, examples: int) -> None:
    search(int(examples * MYSQL_SHARE / 2), 2000 + shard, fresh_mysql)


def test_the_same_on_the_embedded_one(examples: int, embedded_directory: Path) -> None:
    search(int(examples * EMBEDDED_SHARE), 3000, lambda: fresh_embedded(embedded_directory))

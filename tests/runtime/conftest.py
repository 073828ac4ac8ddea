"""Controllers for these tests: of any models, on the database of the test or in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import interaqt as iq
from interaqt.storage.database import Database

Apps = Callable[..., iq.Controller]


@pytest.fixture
def make_app(database: Database) -> Apps:
    """A controller of the models, on each database in turn."""

    def make(*models: Any, **options: Any) -> iq.Controller:
        return _installed(database, models, options)

    return make


@pytest.fixture
def in_memory() -> Iterator[Apps]:
    """A controller of the models in memory: for what does not depend on the database."""
    made: list[iq.Controller] = []

    def make(*models: Any, **options: Any) -> iq.Controller:
        made.append(_installed(iq.SQLiteDB(), models, options))
        return made[-1]

    yield make
    for controller in made:
        controller.system.close()


def _installed(database: Database, models: tuple[Any, ...], options: dict[str, Any]) -> iq.Controller:
    controller = iq.Controller(iq.MonoSystem(database), models, **options)
    controller.setup(install=True)
    return controller

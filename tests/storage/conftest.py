"""The library that the storage tests ask about, on each database."""

from __future__ import annotations

import pytest

from interaqt.storage.database import Database
from interaqt.storage.storage import Storage
from tests.storage.library import stocked


@pytest.fixture
def library(database: Database) -> Storage:
    return stocked(database)

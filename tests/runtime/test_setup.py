"""Setup: what a large model costs, in proportion to its size and not to its square; and several at once."""

from __future__ import annotations

import gc
import sys
import threading
import time
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

import interaqt as iq
from interaqt.storage.database import Database
from tests.databases import opened, url_of
from tests.runtime.shop import MODELS

ENTITY = """
@iq.entity
class Thing{i}:
    id: int = iq.key()
    n: int
    owner: Thing{owner} | None = iq.one()
    owned: Many[Thing{owned}] = iq.many(inverse="owner")
    a: int = iq.Count(owned)
    b: int = iq.Count(owned, where=lambda thing: thing.n > 3)
    c: int = iq.Summation(owned, of=lambda thing: thing.n * 2)
    d: bool = iq.Any(owned, where=lambda thing: thing.n == 1 or thing.n > 100)
    e: bool = iq.Every(owned, where=lambda thing: thing.n > 0)
"""


def controller_seconds(monkeypatch: pytest.MonkeyPatch, entities: int) -> float:
    source = "from __future__ import annotations\nimport interaqt as iq\nfrom interaqt import Many\n"
    for i in range(entities):
        source += ENTITY.format(i=i, owner=(i + 1) % entities, owned=(i - 1) % entities)
    module = types.ModuleType(f"model_of_{entities}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(source, vars(module))
    # What is collected is mostly of the tests before.
    gc.collect()
    gc.disable()
    try:
        start = time.process_time()
        app = iq.Controller(iq.MonoSystem(iq.SQLiteDB()), [module])
        app.setup(install=True)
        return time.process_time() - start
    finally:
        gc.enable()


def test_setup_grows_with_the_model_and_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    controller_seconds(monkeypatch, 5)
    small = min(controller_seconds(monkeypatch, 20) for _ in range(2))
    large = controller_seconds(monkeypatch, 160)
    # Eight times the model; the rest is room for a busy machine, and far from eight times eight.
    assert large < 8 * small * 2.5


def test_several_that_install_at_once_are_all_ready(database: Database) -> None:
    together = threading.Barrier(6)

    def install(_: int) -> dict[str, set[str]]:
        controller = iq.Controller(iq.MonoSystem(opened(url_of(database))), MODELS)
        together.wait()
        controller.setup(install=True)
        controller.setup()
        tables = controller.system.database.tables()
        controller.system.close()
        return tables

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(install, range(6)))
    assert all(each == found[0] for each in found)
    assert {"order", "order_line", "user", "interaction_event"} <= set(found[0])

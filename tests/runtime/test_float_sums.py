"""Sums and means of floats: whatever comes and goes, they are what the present numbers add up to."""

from __future__ import annotations

import pytest

import interaqt as iq
from interaqt import Many
from tests.runtime.conftest import Apps


@iq.entity
class Sensor:
    id: int = iq.key()
    readings: Many[Reading] = iq.many(inverse="sensor")

    total: float = iq.Summation(readings, of=lambda reading: reading.value)
    weighted: float = iq.WeightedSummation(readings, weight=lambda r: r.unit.factor, of=lambda r: r.value)
    offset: float = iq.WeightedSummation(readings, weight=lambda r: 1.0, of=lambda r: r.value, start=0.5)
    mean: float | None = iq.Average(readings, of=lambda reading: reading.value)
    squares: float = iq.Summation(readings, of=lambda reading: reading.value * reading.value)


@iq.entity
class Unit:
    id: int = iq.key()
    factor: float


@iq.entity
class Reading:
    id: int = iq.key()
    sensor: Sensor
    unit: Unit
    value: float


Parts = tuple[iq.Controller, Sensor, Unit]


@pytest.fixture
def parts(make_app: Apps) -> Parts:
    app = make_app(Sensor, Unit, Reading)
    storage = app.system.storage
    return app, storage.create(Sensor()), storage.create(Unit(factor=1.0))


def sums(app: iq.Controller, sensor: Sensor) -> tuple[float, float, float, float | None]:
    assert app.verify() == []
    found = app.system.storage.get(Sensor, sensor.id)
    return found.total, found.weighted, found.offset, found.mean


def test_a_large_number_takes_nothing_of_the_small_ones_with_it(parts: Parts) -> None:
    app, sensor, unit = parts
    storage = app.system.storage
    large = storage.create(Reading(sensor=sensor, unit=unit, value=1e16))
    storage.create(Reading(sensor=sensor, unit=unit, value=1.0))
    storage.create(Reading(sensor=sensor, unit=unit, value=-1e16))
    assert sums(app, sensor) == (1.0, 1.0, 1.5, 1 / 3)
    storage.update(large, value=2.0)
    assert sums(app, sensor) == (-1e16 + 4, -1e16 + 4, -1e16 + 4, (-1e16 + 4) / 3)
    storage.update(large, value=1e16)
    storage.delete(large)
    assert sums(app, sensor)[0] == 1 - 1e16
    app.rebuild(Sensor)
    storage.create(Reading(sensor=sensor, unit=unit, value=1e16))
    assert sums(app, sensor) == (1.0, 1.0, 1.5, 1 / 3)


def test_nor_do_many_that_change_together(parts: Parts) -> None:
    app, sensor, unit = parts
    storage = app.system.storage
    for value in (1e16, 1.0, -1e16):
        storage.create(Reading(sensor=sensor, unit=unit, value=value))
    storage.update(unit, factor=3.0)
    assert sums(app, sensor)[1] == 3.0
    storage.update(unit, factor=0.1)
    assert sums(app, sensor)[1] == 0.1


def test_nothing_is_left_of_what_is_gone(parts: Parts) -> None:
    app, sensor, unit = parts
    storage = app.system.storage
    made = [storage.create(Reading(sensor=sensor, unit=unit, value=value)) for value in (0.1, 0.2, 0.3, 1e-9, 7e15)]
    for each in made:
        storage.delete(each)
    assert sums(app, sensor) == (0.0, 0.0, 0.5, None)


def test_what_is_no_number_is_refused_with_nothing_written(parts: Parts) -> None:
    app, sensor, unit = parts
    with pytest.raises(iq.InvalidValue, match="inf is no finite number, so it can't be added up"):
        app.system.storage.create(Reading(sensor=sensor, unit=unit, value=1e300))
    assert app.system.storage.query(Reading).count() == 0
    assert sums(app, sensor) == (0.0, 0.0, 0.5, None)

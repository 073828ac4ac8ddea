"""Records that follow from others and in which users have a hand: what was changed stays, what was ended stays away."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

import interaqt as iq
from interaqt import Event, Many
from interaqt.storage.database import Database
from tests.runtime.conftest import Apps

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=dt.UTC)


@iq.interaction
class Measure:
    sensor: Sensor
    level: int


@iq.interaction
class Move:
    sensor: Sensor
    place: Place


@iq.interaction
class Reword:
    alarm: Alarm
    text: str


@iq.interaction
class Assign:
    alarm: Alarm
    place: Place


@iq.interaction
class Dismiss:
    alarm: Alarm


@iq.interaction
class Settle:
    alarm: Alarm


@iq.interaction
class DismissAll:
    place: Place


@iq.entity
class Place:
    id: int = iq.key()
    name: str
    alarms: Many[Alarm] = iq.many(inverse="place")

    alarm_count: int = iq.Count(alarms)
    loudest: int = iq.Maximum(alarms, of=lambda alarm: alarm.level, default=0)


@iq.entity
class Sensor:
    id: int = iq.key()
    name: str
    place: Place = iq.one(changes=iq.on(Move, set=lambda e: e.payload.place))
    level: int = iq.field(default=0, changes=iq.on(Measure, set=lambda e: e.payload.level))


@iq.entity
class Alarm:
    id: int = iq.key()
    text: str = iq.field(changes=iq.on(Reword, set=lambda e: e.payload.text))
    place: Place = iq.one(
        on_delete="cascade", changes=iq.on(Assign, record=lambda e: e.payload.alarm, set=lambda e: e.payload.place)
    )
    level: int
    state: str = iq.StateMachine("open", iq.on(Settle, {"open": "settled", "settled": iq.DELETED}))

    raised = iq.Transform(
        Sensor,
        lambda s: (
            [
                Alarm(text=s.name, place=s.place, level=s.level),
                *([Alarm(text=s.name + "!", place=s.place, level=s.level * 2)] if s.level > 20 else []),
            ]
            if s.level > 10
            else None
        ),
    )

    @iq.deleted_by(Dismiss)
    def dismissed(self, e: Event[Dismiss]) -> bool:
        return self == e.payload.alarm

    @iq.deleted_by(DismissAll)
    def all_dismissed(self, e: Event[DismissAll]) -> bool:
        return self.place == e.payload.place


MODELS = (Place, Sensor, Alarm, Measure, Move, Reword, Assign, Dismiss, Settle, DismissAll)


class Site:
    """A place with a sensor whose alarm is on."""

    def __init__(self, make_app: Apps, *models: Any) -> None:
        self.app = make_app(*MODELS, *models)
        self.storage = self.app.system.storage
        self.hall = self.storage.create(Place(name="hall"))
        self.yard = self.storage.create(Place(name="yard"))
        self.sensor = self.storage.create(Sensor(name="heat", place=self.hall, level=15))

    def measure(self, level: int) -> None:
        self.app.dispatch(Measure(sensor=self.sensor, level=level))

    @property
    def alarms(self) -> list[tuple[str, int]]:
        """What each alarm says, after it was checked that all follow as they are declared."""
        assert list(self.app.verify()) == []
        return sorted((each.text, each.level) for each in self.storage.query(Alarm).all())

    @property
    def alarm(self) -> Alarm:
        return min(self.storage.query(Alarm).all(), key=lambda alarm: alarm.id)


@pytest.fixture
def site(make_app: Apps) -> Site:
    return Site(make_app)


def test_what_a_user_changed_stays_and_the_rest_follows(site: Site) -> None:
    key = site.alarm.id
    site.app.dispatch(Reword(alarm=site.alarm, text="too hot"))
    site.measure(18)
    site.app.dispatch(Move(sensor=site.sensor, place=site.yard))
    assert site.alarms == [("too hot", 18)]
    assert (site.alarm.id, site.alarm.place) == (key, site.yard)
    assert (site.storage.get(Place, site.hall.id).alarm_count, site.storage.get(Place, site.yard.id).loudest) == (0, 18)
    site.storage.update(site.sensor, name="cold")
    assert site.alarms == [("too hot", 18)]


def test_a_reference_that_a_user_changed_stays(site: Site) -> None:
    site.app.dispatch(Assign(alarm=site.alarm, place=site.yard))
    site.measure(19)
    third = site.storage.create(Place(name="roof"))
    site.app.dispatch(Move(sensor=site.sensor, place=third))
    assert site.alarm.place == site.yard
    assert site.alarms == [("heat", 19)]


def test_a_change_to_what_is_there_is_none(site: Site) -> None:
    site.app.dispatch(Reword(alarm=site.alarm, text="heat"))
    site.storage.update(site.alarm, text="heat")
    site.storage.update(site.sensor, name="smoke")
    assert site.alarms == [("smoke", 15)]


def test_what_was_changed_by_hand_stays_as_well(site: Site) -> None:
    site.storage.update(site.alarm, text="by hand")
    site.storage.update(site.sensor, name="smoke")
    assert site.alarms == [("by hand", 15)]


def test_what_no_interaction_changes_is_not_changed_by_hand_either(site: Site) -> None:
    with pytest.raises(iq.InvalidValue) as raised:
        site.storage.update(site.alarm, level=3, text="other")
    assert raised.value.code == "record.follows"
    assert raised.value.message == (
        f"Alarm.level of {site.alarm.id} is what Alarm.raised makes of Sensor {site.sensor.id}; "
        "it would be so again with the next change of that"
    )
    assert raised.value.hint == (
        "change what it follows from, or declare that it may be changed: level: ... = iq.field(changes=iq.on(...))"
    )
    assert site.alarms == [("heat", 15)]
    made = site.storage.create(Alarm(text="made by hand", place=site.hall, level=1))
    assert site.storage.update(made, level=2).level == 2


@pytest.mark.parametrize("way", ["deleted_by", "several", "machine", "hand", "cascade"])
def test_what_somebody_ended_stays_away_as_long_as_it_is_wanted(site: Site, way: str) -> None:
    match way:
        case "deleted_by":
            site.app.dispatch(Dismiss(alarm=site.alarm))
        case "several":
            site.app.dispatch(DismissAll(place=site.hall))
        case "machine":
            site.app.dispatch(Settle(alarm=site.alarm))
            site.app.dispatch(Settle(alarm=site.alarm))
        case "hand":
            site.storage.delete(site.alarm)
        case _:
            site.app.dispatch(Assign(alarm=site.alarm, place=site.yard))
            site.storage.delete(site.yard)
    assert site.alarms == []
    site.measure(17)
    assert site.app.rebuild(Alarm) == 1
    assert site.alarms == []
    site.measure(30)
    assert site.alarms == [("heat!", 60)]
    site.measure(5)
    assert site.alarms == []
    site.measure(12)
    assert site.alarms == [("heat", 12)]


def test_one_of_several_is_ended_alone_and_so_are_all(site: Site) -> None:
    site.measure(30)
    other = site.storage.create(Sensor(name="smoke", place=site.hall, level=25))
    assert site.alarms == [("heat", 30), ("heat!", 60), ("smoke", 25), ("smoke!", 50)]
    site.app.dispatch(Dismiss(alarm=site.storage.query(Alarm).where(lambda alarm: alarm.text == "smoke!").one()))
    site.app.dispatch(Dismiss(alarm=site.alarm))
    site.storage.update(other, name="fire")
    site.measure(31)
    assert site.alarms == [("fire", 25), ("heat!", 62)]
    site.app.dispatch(DismissAll(place=site.hall))
    site.measure(40)
    site.storage.update(other, level=40)
    assert site.alarms == []
    site.measure(15)
    site.measure(30)
    assert site.alarms == [("heat!", 60)]


def test_with_the_source_goes_what_it_remembers(site: Site) -> None:
    site.app.dispatch(Dismiss(alarm=site.alarm))
    site.storage.delete(site.sensor)
    assert site.alarms == []
    site.storage.create(Sensor(name="new", place=site.hall, level=15))
    assert site.alarms == [("new", 15)]


def test_what_is_ended_and_not_wanted_by_one_event_is_remembered_by_nobody(make_app: Apps) -> None:
    site = Site(make_app)
    with pytest.raises(ZeroDivisionError):
        site.app.transact(lambda tx: (tx.dispatch(Dismiss(alarm=site.alarm)), 1 // 0))
    assert site.alarms == [("heat", 15)]

    def dismiss_and_go_back(tx: Any) -> None:
        tx.dispatch(Dismiss(alarm=site.alarm))
        tx.dispatch(Measure(sensor=site.sensor, level=1))
        tx.dispatch(Measure(sensor=site.sensor, level=11))

    site.app.transact(dismiss_and_go_back)
    assert site.alarms == [("heat", 11)]


def test_retention_ends_a_derived_record(database: Database) -> None:
    @iq.entity
    class Host:
        id: int = iq.key()
        name: str
        at: dt.datetime

    @iq.entity(retention=iq.Retention(older_than=dt.timedelta(days=1), by="at"))
    class Note:
        id: int = iq.key()
        name: str
        at: dt.datetime
        made = iq.Transform(Host, lambda h: Note(name=h.name, at=h.at))

    app = iq.Controller(iq.MonoSystem(database), [Host, Note], clock=lambda: NOON)
    app.setup(install=True)
    storage = app.system.storage
    host = storage.create(Host(name="a", at=NOON - dt.timedelta(days=2)))
    assert app.sweep() == {"Note": 1}
    storage.update(host, name="b")
    assert storage.query(Note).count() == 0
    assert list(app.verify()) == []


def test_explain_says_what_an_attribute_follows_from_and_that_it_does_no_longer(site: Site) -> None:
    before = site.app.explain(site.alarm, "text")
    assert before.rule.startswith("Alarm.raised of Sensor 1, until Reword changes it, declared at ")
    site.app.dispatch(Reword(alarm=site.alarm, text="mine"))
    after = site.app.explain(site.alarm, "text")
    assert after.rule.startswith("Reword, and no longer by Alarm.raised of Sensor 1, declared at ")

"""Random histories: steps as text, done by the framework and by the interpreter, and compared after each.

A step is a line of Python such as ``dispatch(Act0(item1=get(User, 1)), user=get(User, 2))``. It is
evaluated twice: once where ``create`` and the rest are the framework's, once where they are the
interpreter's. So a failure shows a history that can be pasted below its model. ``get(User, 2)``
is the second User of the history, whatever its key.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

import interaqt as iq
from interaqt.core.model import Collection, Mirror, RecordModel, Reference
from interaqt.runtime.effects import Mutation
from interaqt.runtime.events import InteractionEvent
from interaqt.storage.database import Database
from tests.oracle.conflicts import Conflicts
from tests.oracle.drawing.text import Class, Interaction, Schema
from tests.oracle.drawing.values import LITERALS
from tests.oracle.interpreter import Interpreter, Place, Refused
from tests.oracle.meaning import top
from tests.oracle.models import load
from tests.oracle.telling import State, require_told

__all__ = ["Session", "same", "steps"]


#: When histories begin: shortly before what happens in them.
START = dt.datetime(2024, 12, 31, 12, tzinfo=dt.UTC)

#: By how many minutes it gets later: to the moment or a little, a day, months, and over years.
LATER = (1, 12 * 60 - 1, 719, 720, 24 * 60, 31 * 24 * 60, 73 * 24 * 60 + 7, 400 * 24 * 60, 761 * 24 * 60 + 30)


class Session:
    """One model in one database, beside its interpreter."""

    def __init__(self, source: str, database: Database) -> None:
        self.module = load(source)
        self.system = iq.MonoSystem(database)
        with warnings.catch_warnings():
            # A machine may have states that nothing leads to, and many values may depend on a global one.
            warnings.simplefilter("ignore", iq.DeclarationWarning)
            warnings.simplefilter("ignore", iq.GlobalDependenceWarning)
            self.now = START
            self.app = iq.Controller(self.system, self.module.MODELS, clock=lambda: self.now)
            self.app.setup(install=True)
        self.storage = self.system.storage
        self.interpreter = Interpreter(self.app.model)
        self.interpreter.now = START
        self.over = False
        """Whether the rest of the history is left out."""
        self.events = 0
        self.state = State.of(self.interpreter)
        """What there was after the last step."""
        self._effects: list[Mutation] | None = None
        """What the step told, if it was a dispatch."""
        self.conflicts = Conflicts(database)
        self._plans: dict[str, set[str]] = {}
        self._seen: dict[RecordModel, list[Any]] = {
            record: list(rows) for record, rows in self.interpreter.rows.items()
        }
        names = {name: value for name, value in vars(self.module).items() if not name.startswith("__")}
        storage, interpreter = self.storage, self.interpreter
        self._real = names | {
            "create": storage.create,
            "update": storage.update,
            "delete": storage.delete,
            "dispatch": self.app.dispatch,
            "dispatch_many": self.app.dispatch_many,
            "pass_time": self._pass_time,
            "late": self._late,
            "get": self._get,
            "after_conflict": self._after_conflict,
        }
        self._meant = names | {
            "create": interpreter.create,
            "update": interpreter.update,
            "delete": interpreter.delete,
            "dispatch": interpreter.dispatch,
            "dispatch_many": interpreter.dispatch_many,
            "pass_time": interpreter.pass_time,
            "late": interpreter.late,
            "get": lambda cls, number: interpreter.get(cls, self._key(cls, number)),
            "after_conflict": lambda at: SimpleNamespace(**self._meant),
        }

    def _pass_time(self, minutes: int) -> None:
        """It is later, and what follows from that is brought right."""
        self.now += dt.timedelta(minutes=minutes)
        self.app.tick(batch=2)

    def _late(self, minutes: int, write: Callable[[], Any]) -> Any:
        """Something is written when it is later, before anything has looked at the clock."""
        self.now += dt.timedelta(minutes=minutes)
        try:
            outcome = write()
            self._require_verified()
            return outcome
        finally:
            self.app.tick()

    def _after_conflict(self, at: int) -> SimpleNamespace:
        """What can be done, to be done again after a conflict at its ``at``-th statement."""
        self.conflicts.at = at
        return SimpleNamespace(**self._real)

    # -- steps

    def step(self, text: str) -> bool:
        """Do a step on both sides; answers whether it was admitted."""
        outcome = refused = should = self._effects = None
        self.module.TOLD.clear()
        self.conflicts.at = 0
        self.interpreter.keys = {}
        try:
            with self.storage.schema.database.recording() as recorder:
                outcome = eval(text, dict(self._real))
            self._require_listed(text, [sql for sql, _ in recorder.statements])
        except iq.InteraqtError as error:
            refused = error
        else:
            self._learn(outcome)
        self.interpreter.now = self.now
        try:
            eval(text, dict(self._meant))
        except Refused as error:
            should = error
        if "pass_time" in text and (refused or should):
            # A derived record that can't be made keeps a tick from going on, wherever it is.
            self.over = True
            return False
        assert refused is None or should is not None, f"{text}\n  should be admitted, but is not: {refused!r}"
        assert refused is not None or should is None, f"{text}\n  is admitted, but should not be: {should}"
        if refused is None and re.match(r"(after_conflict\(\d+\)\.)?dispatch", text):
            self.events += len(outcome) if isinstance(outcome, Sequence) else 1
        for record, rows in self.interpreter.rows.items():
            seen = self._seen[top(record)]
            seen += [key for key in rows if key not in seen]
        return refused is None

    def numbers(self) -> dict[str, list[int]]:
        """The records that there are, by class and number: the how-manieth of its class it was in this history."""
        return {
            record.name: [number for number, key in enumerate(self._seen[top(record)], 1) if key in keys]
            for record, keys in self.interpreter.keys_of_all().items()
        }

    def _get(self, cls: type, number: int) -> Any:
        key = self._key(cls, number)
        record = self.app.model.records[cls]
        kind = record if record.is_view else self.interpreter.one(record, key)._record
        return self.storage.loader.ghost(kind, key)

    def _key(self, cls: type, number: int) -> Any:
        seen = self._seen[top(self.app.model.records[cls])]
        return seen[number - 1] if number <= len(seen) else 10**6 + number

    def _learn(self, outcome: Any) -> None:
        """Tell the interpreter which keys the database gave."""
        interpreter = self.interpreter
        interpreter.places = self._places()
        if isinstance(outcome, iq.DispatchResult | Sequence):
            results = outcome if isinstance(outcome, Sequence) else [outcome]
            self._effects = [each for result in results for each in result.effects]
            interpreter.at = results[0].event.at
            for effect in (each for result in results for each in result.effects):
                record = self.app.model.records[effect.record]
                if effect.kind == "create" and record in interpreter.rows and not _is_derived(effect):
                    interpreter.keys.setdefault(record, []).append(effect.key)
        elif outcome is not None:
            record = self.storage.record_of(type(outcome))
            interpreter.keys[record] = [_key(record, outcome)]

    def _places(self) -> dict[Place, Any]:
        """Where the stored derived records come from: it stands in two hidden columns beside each."""
        found: dict[Place, Any] = {}
        dialect = self.storage.schema.dialect
        for record in self.interpreter.records:
            for transform in record.cls.__iq_record__.transforms:  # type: ignore[attr-defined]
                if transform.source in self.app.model.records:
                    source = self.app.model.records[transform.source]
                    of_kind = "" if record.condition is None else f"{record.name.lower()}__"
                    link, index = (f"{of_kind}{transform.name}__{what}" for what in ("source", "index"))
                    sql = f'SELECT "id", "{link}", "{index}" FROM "{record.table}" WHERE "{link}" IS NOT NULL'
                    keys = [dialect.from_db(each.key.type) or _as_it_is for each in (record, source)]
                    with self.storage.executor() as executor:
                        for key, of, position in executor.execute(sql, ()).fetchall():
                            found[record, transform.name, keys[1](of), position] = keys[0](key)
        return found

    def _require_listed(self, text: str, statements: Sequence[str]) -> None:
        """What a dispatch writes is in its plan."""
        act = re.match(r"dispatch\((\w+)", text)
        if act is not None:
            if act[1] not in self._plans:
                steps = self.app.explain(vars(self.module)[act[1]]).steps
                self._plans[act[1]] = {shape(sql) for step in steps for sql in step.sql.split(";\n")}
            written = {shape(sql) for sql in statements if sql.startswith(("INSERT", "UPDATE", "DELETE"))}
            unlisted = written - self._plans[act[1]]
            # What a callback makes inside the record that it answers is known once it has been called.
            if not any(f"INSERT {table}" in unlisted for table in self._within(vars(self.module)[act[1]])):
                assert not unlisted, f"{text}: {unlisted} is not in its plan"

    def _within(self, interaction: Any) -> set[str]:
        """The tables of what records that an interaction makes may refer to."""
        model = self.app.model
        found: set[str] = set()
        waiting = [
            record
            for record in model.tables()
            if any(each.interaction is model.interactions[interaction] for each in record.creations)
        ]
        while waiting:
            for reference in waiting.pop().references():
                if reference.target.root.table not in found:
                    found.add(reference.target.root.table)
                    waiting.append(reference.target.root)
        return found

    # -- comparing

    def check(self, *, whole: bool = False) -> None:
        """The database holds what the interpreter says; with ``whole`` collections and mirrors are asked, too."""
        before, self.state = self.state, State.of(self.interpreter)
        wanted = self.state.rows
        for record in self.interpreter.records:
            found = {_key(record, each): each for each in self.storage.query(record.cls).all()}
            kinds = {key: kind for kind in self.interpreter.kinds(record) for key in wanted[kind.name]}
            assert sorted(found) == sorted(kinds), f"{record}: there are {sorted(found)}, not {sorted(kinds)}"
            for key, kind in kinds.items():
                assert type(found[key]) is kind.cls, f"{record}#{key} is {found[key]!r}, but should be a {kind}"
                for name, value in wanted[kind.name][key].items():
                    if whole or not isinstance(kind.attributes[name], Collection | Mirror):
                        stored = _read(kind, found[key], name)
                        assert same(stored, value), f"{kind}#{key}.{name} is {stored!r}, but should be {value!r}"
        for part in self.interpreter.parts:
            keys = {_key(part.made_as, each) for each in self.storage.query(part.cls).all()}
            assert keys == self.state.members[part.name], f"in {part} are {keys}, not {self.state.members[part.name]}"
        self._require_verified()
        self._require_told(before)
        assert self.storage.query(InteractionEvent).count() == self.events

    def _require_told(self, before: State) -> None:
        """What the step told of is what it did, and side effects were told the same."""
        if self._effects is not None:
            records = {each.name: each for each in (*self.interpreter.records, *self.interpreter.parts)}
            watched = {each.removeprefix("watch_") for each in vars(self.module) if each.startswith("watch_")}
            require_told(self._effects, records, watched, before, self.state)
            calls = sorted((each.kind, each.record.id) for each in self.module.TOLD)
            effects = sorted((each.kind, each.key) for each in self._effects if each.record.__name__ in watched)
            assert calls == effects, f"side effects were called with {calls}, and told are {effects}"
        self._effects = None

    def _require_verified(self) -> None:
        differences = [
            each
            for each in self.app.verify()
            if not (isinstance(each.stored, float) and same(each.stored, each.expected))
        ]
        assert not differences, [str(each) for each in differences]


def shape(sql: str) -> str:
    """What a statement does to which table."""
    table = re.search(r"(?:INTO|UPDATE|FROM|STRAIGHT_JOIN) [\"`](\w+)[\"`]", sql)
    return f"{sql.split(None, 1)[0]} {table[1]}" if table is not None else sql.split(None, 1)[0]


def _is_derived(effect: Any) -> bool:
    """Whether a created record came of another one: then a hidden reference names its source."""
    return any(name.endswith("__source") and value is not None for name, value in effect.values.items())


def _as_it_is(value: Any) -> Any:
    return value


def _key(record: RecordModel, instance: Any) -> Any:
    return instance.__dict__[record.key.name]


def _read(record: RecordModel, instance: Any, name: str) -> Any:
    attribute, value = record.attributes[name], getattr(instance, name)
    if value is None:
        return None
    if isinstance(attribute, Collection):
        return sorted(_key(attribute.target, each) for each in value)
    if isinstance(attribute, Reference | Mirror):
        return _key(attribute.target, value)
    return value


def same(one: Any, other: Any) -> bool:
    """Equal; floats to nine digits, for sums may be taken in any order."""
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


# -- drawing steps ------------------------------------------------------------------------


@st.composite
def steps(draw: st.DrawFn, schema: Schema, rows: Mapping[str, list[int]]) -> str | None:
    """A step over the records that there are: ``rows`` has their numbers by the name of their class."""
    return _Step(draw, schema, rows).text()


class _Step:
    def __init__(self, draw: st.DrawFn, schema: Schema, rows: Mapping[str, list[int]]) -> None:
        self.draw, self.schema, self.rows = draw, schema, rows

    def pick(self, options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def text(self) -> str | None:
        text = self.plain()
        return f"after_conflict({self.pick(range(1, 9))}).{text}" if text and self.chance(7) else text

    def plain(self) -> str | None:
        if self.schema.is_timed and self.chance(25):
            return self.time()
        made = [each for each in self.schema.classes if not each.abstract]
        few = [each for each in made if len(self.rows[each.name]) < 3 and not each.derived]
        if few and self.chance(40):
            return self.create(self.pick(few))
        kinds: list[Callable[[], str | None]] = [self.creation, self.update, self.delete]
        if self.schema.interactions:
            kinds += [self.dispatch] * 4 + [self.dispatch_many]
        return self.pick(kinds)()

    # -- each kind

    def time(self) -> str | None:
        """It is later. What is written before a tick sees what follows from before: so it gives no more than values."""
        minutes = self.pick(LATER)
        if self.chance(40) and not any(each.derived for each in self.schema.classes):
            write = self.pick([self.update, self.creation])()
            return write and f"late({minutes}, lambda: {write})"
        return f"pass_time({minutes})"

    def creation(self) -> str | None:
        return self.create(self.pick([each for each in self.schema.classes if not each.abstract]))

    def create(self, cls: Class) -> str | None:
        values = [
            f"{field.name}={self.value(field.kind, field.nullable)}"
            for field in cls.every_field
            if field.settable and (field.default is None or self.chance(50))
        ]
        for ref in cls.every_ref:
            if ref.stamp is not None:
                continue
            if ref.nullable and self.chance(30):
                if not ref.changes:
                    values.append(f"{ref.name}=None")
                continue
            found = self.record(ref.target)
            if found is None and not ref.nullable:
                return None
            values.append(f"{ref.name}={found}")
        return f"create({cls.name}({', '.join(values)}))"

    def update(self) -> str | None:
        target, cls = self.stored()
        if target is None:
            return None
        free = [each for each in (*cls.every_field, *cls.every_ref) if not (cls.derived and not each.changes)]
        free = [each for each in free if getattr(each, "settable", True) and not getattr(each, "stamp", None)]
        free = [each for each in free if not each.counts]
        if not free:
            return None
        values = {}
        for each in self.draw(st.lists(st.sampled_from(free), min_size=1, max_size=2)):
            if hasattr(each, "target"):
                found = None if each.nullable and self.chance(30) else self.record(each.target)
                if found is None and not each.nullable:
                    continue
                values[each.name] = found
            else:
                values[each.name] = self.value(each.kind, each.nullable)
        return f"update({target}, {', '.join(f'{name}={value}' for name, value in values.items())})" if values else None

    def delete(self) -> str | None:
        target, cls = self.stored()
        # A dictionary lives for ever.
        return None if target is None or cls.is_dictionary else f"delete({target})"

    def dispatch(self) -> str | None:
        request = self.request(self.pick(self.schema.interactions))
        return request and f"dispatch({request}{self.user()})"

    def dispatch_many(self) -> str | None:
        """Several requests, often of one interaction, so that they may be written together."""
        acts = [self.pick(self.schema.interactions)] * 3 + [self.pick(self.schema.interactions)]
        requests = [self.request(act) for act in acts[: self.draw(st.integers(2, 4))]]
        return f"dispatch_many([{', '.join(map(str, requests))}]{self.user()})" if all(requests) else None

    def user(self) -> str:
        user = self.record(self.schema.classes[0], sure=True)
        return f", user={user}" if user else ""

    def request(self, act: Interaction) -> str | None:
        values = []
        for name, kind, optional, many in act.items:
            if many:
                assert isinstance(kind, Class)
                keys = self.rows[kind.home.name]
                chosen = self.draw(st.lists(st.sampled_from(keys), max_size=3)) if keys else []
                values.append(f"{name}=[{', '.join(f'get({kind.name}, {key})' for key in chosen)}]")
            elif isinstance(kind, str):
                values.append(f"{name}={self.value(kind, optional)}")
            elif optional and self.chance(30):
                values.append(f"{name}=None")
            else:
                found = self.record(kind)
                if found is None and not optional:
                    return None
                values.append(f"{name}={found}")
        return f"{act.name}({', '.join(values)})"

    # -- parts

    def value(self, kind: str, nullable: bool) -> str:
        return "None" if nullable and self.chance(30) else str(self.pick(LITERALS[kind]))

    def record(self, cls: Class, sure: bool = False) -> str | None:
        keys = self.rows[cls.home.name]
        if not sure and not cls.uuid and self.chance(3):
            return f"get({cls.name}, 999)"
        return f"get({cls.name}, {self.pick(keys)})" if keys else None

    def stored(self) -> tuple[str | None, Any]:
        # There is one of a dictionary, so it comes up often enough only if it comes up more often.
        some = [each for each in (*self.schema.classes, *self.schema.dictionaries * 2) if self.rows[each.name]]
        if not some:
            return None, None
        cls = self.pick(some)
        return f"get({cls.name}, {self.pick(self.rows[cls.name])})", cls

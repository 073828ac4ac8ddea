"""Random models: Hypothesis draws the source text of decorated classes, as a user would write them.

Text, so that a failure shows a model which can be read, and pasted into a test. Classes are drawn
in layers: a derived value reads only what was declared before it, so there are no cycles.
"""

from __future__ import annotations

import itertools
import linecache
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from types import ModuleType
from typing import TypeVar

import attrs
from hypothesis import strategies as st

__all__ = ["LITERALS", "Class", "Field", "Interaction", "Ref", "Schema", "load", "schemas"]

T = TypeVar("T")

MODULE = "oracle_model"

PRELUDE = """\
from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Literal

import interaqt as iq
from interaqt import Event, Many


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"
"""

STATE = 'Literal["draft", "live", "gone"]'

#: What values are drawn from, by annotation. Floats are eighths, so sums of them are exact.
LITERALS: dict[str, tuple[str, ...]] = {
    "int": ("0", "1", "2", "3", "-1", "7"),
    "float": ("0.0", "0.5", "2.0", "-1.25", "3.125"),
    "Decimal": ("Decimal('0')", "Decimal('0.10')", "Decimal('1.25')", "Decimal('-2.5')", "Decimal('3')"),
    "str": ("''", "'a'", "'b'", "'Ab'", "'bab'", "'\\u00e4'"),
    "bool": ("False", "True"),
    "dt.datetime": (
        "dt.datetime(2024, 12, 31, 23, 59, tzinfo=dt.UTC)",
        "dt.datetime(2025, 1, 1, tzinfo=dt.UTC)",
        "dt.datetime(2026, 6, 15, 12, 30, tzinfo=dt.UTC)",
    ),
    "dt.date": ("dt.date(2025, 3, 1)", "dt.date(2026, 12, 31)"),
    "Colour": ("Colour.RED", "Colour.GREEN", "Colour.BLUE"),
    STATE: ("'draft'", "'live'", "'gone'"),
}  # fmt: skip

#: Ways to test a value of each kind.
TESTS: dict[str, tuple[str, ...]] = {
    "int": ("{0} > 0", "{0} >= 2", "{0} == 1", "{0} != 0", "{0} in (1, 3)", "{0} % 2 == 0", "0 < {0} < 4"),
    "float": ("{0} > 0.3", "{0} < 1.7", "{0} != 2.0", "{0} >= 0.9"),
    "Decimal": ("{0} > 0", "{0} >= Decimal('1.25')", "{0} == Decimal('0.1')", "{0} < Decimal('2')"),
    "str": ("{0} == 'a'", "{0}.startswith('b')", "len({0}) > 1", "'b' in {0}", "{0} < 'b'", "{0}.lower() == 'ab'"),
    "bool": ("{0}", "not {0}"),
    "dt.datetime": ("{0}.year >= 2025", "{0} > dt.datetime(2025, 1, 1, tzinfo=dt.UTC)", "{0}.month == 12"),
    "dt.date": ("{0}.month == 3", "{0} > dt.date(2026, 1, 1)"),
    "Colour": ("{0} == Colour.RED", "{0} != Colour.BLUE", "{0} in (Colour.RED, Colour.GREEN)"),
    STATE: ("{0} == 'live'", "{0} != 'draft'"),
}

NUMBERS = ("int", "float", "Decimal")
ORDERED = (*NUMBERS, "str", "dt.datetime", "dt.date")
#: What tells a moment, or a day: of these and of the present one, conditions and numbers.
TIMED_TESTS = (
    "now >= {t}", "now > {t} + dt.timedelta(days=30)", "now == {t}", "now - {t} < dt.timedelta(hours=13)",
    "abs(now - {t}) < dt.timedelta(days=61)", "(now - {t}).days > 100", "now.date() > {d}", "now.date() == {d}",
    "now.date() - {d} <= dt.timedelta(days=7)", "now.year >= 2026", "now.month == 12", "now.weekday() >= 5",
    "now.hour < 12", "{t} - now < now - {t}", "({d} - now.date()).days in (0, 1)",
)  # fmt: skip
TIMED_NUMBERS = (
    "(now - {t}).days", "max(0, ({t} - now) // dt.timedelta(hours=7))", "now.year", "now.month", "now.weekday()",
    "({d} - now.date()).days", "(now - {t}) // dt.timedelta(days=30) * 2", "now.hour",
)  # fmt: skip

DERIVED = (
    "now_",
    "stp_",
    "num_",
    "sum_",
    "avg_",
    "all_",
    "any_",
    "is_",
    "val_",
    "max_",
    "min_",
    "fst_",
    "lst_",
    "dis_",
)
ZERO = {"int": "0", "float": "0.0", "Decimal": "Decimal('0')"}


@attrs.define(eq=False)
class Field:
    """A property: plain, a state machine's, computed or derived."""

    name: str
    kind: str
    nullable: bool = False
    unique: bool = False
    default: str | None = None
    value: str | None = None
    """The right hand side of what the framework keeps."""
    body: str | None = None
    """The body of a ``computed`` property."""
    machine: bool = False
    stored: bool = False
    """Whether what is computed has a column."""
    changes: list[str] = attrs.field(factory=list)

    @property
    def settable(self) -> bool:
        return self.value is None and self.body is None and not self.machine

    @property
    def annotation(self) -> str:
        return f"{self.kind} | None" if self.nullable else self.kind

    def lines(self) -> Iterator[str]:
        if self.body is not None:
            yield f"    @iq.computed{'(stored=True)' * self.stored}\n    def {self.name}(self) -> {self.annotation}:"
            yield f"        return {self.body}\n"
            return
        value = self.value
        if self.machine:
            arguments = ", ".join(['"draft"', *self.changes])
            value = f"iq.StateMachine({arguments})"
        elif value is None:
            options = [f"default={self.default}"] if self.default else []
            options += ["unique=True"] if self.unique else []
            options += [f"changes=[{', '.join(self.changes)}]"] if self.changes else []
            value = f"iq.field({', '.join(options)})" if options else None
        yield f"    {self.name}: {self.annotation}" + (f" = {value}" if value else "")


@attrs.define(eq=False)
class Ref:
    """A reference."""

    name: str
    target: Class
    nullable: bool = False
    unique: bool = False
    on_delete: str | None = None
    changes: list[str] = attrs.field(factory=list)
    stamp: str | None = None
    """The right hand side of what tells who changed something."""
    absent: bool = False
    """Whether it is None at first without being said so."""

    @property
    def annotation(self) -> str:
        return f"{self.target.name} | None" if self.nullable else self.target.name

    def line(self) -> str:
        if self.stamp is not None:
            return f"    {self.name}: {self.annotation} = {self.stamp}"
        options = ["default=None"] if self.absent or (self.nullable and self.changes) else []
        options += ["unique=True"] if self.unique else []
        options += [f'on_delete="{self.on_delete}"'] if self.on_delete else []
        options += [f"changes=[{', '.join(self.changes)}]"] if self.changes else []
        return f"    {self.name}: {self.annotation}" + (f" = iq.one({', '.join(options)})" if options else "")


@attrs.define(eq=False)
class Coll:
    """A collection; ``far`` for one past a relation."""

    name: str
    link: Class
    line: str
    far: Class | None = None

    @property
    def element(self) -> Class:
        return self.far or self.link


@attrs.define(eq=False)
class Class:
    """An entity, relation or dictionary that is being drawn."""

    name: str
    kind: str
    decorator: str
    uuid: bool = False
    fields: list[Field] = attrs.field(factory=list)
    refs: list[Ref] = attrs.field(factory=list)
    colls: list[Coll] = attrs.field(factory=list)
    mirrors: list[str] = attrs.field(factory=list)
    rules: list[str] = attrs.field(factory=list)
    born: bool = True
    """False until the transforms that make it are drawn: nothing may depend on it before."""
    derived: bool = False
    given: set[str] = attrs.field(factory=set)
    """What transforms from records say of it."""

    def text(self) -> str:
        lines = [] if self.is_dictionary else [f"    id: {'uuid.UUID' if self.uuid else 'int'} = iq.key()"]
        lines += [line for each in self.fields if each.settable or each.machine for line in each.lines()]
        lines += [each.line() for each in self.refs if each.stamp is None]
        lines += [each.line for each in self.colls]
        lines += self.mirrors
        lines += [each.line() for each in self.refs if each.stamp is not None]
        lines += [line for each in self.fields if not (each.settable or each.machine) for line in each.lines()]
        lines += self.rules
        return f"{self.decorator}\nclass {self.name}:\n" + "\n".join(lines or ["    pass"]) + "\n"

    @property
    def is_dictionary(self) -> bool:
        return self.kind == "dictionary"


@attrs.define(eq=False)
class Interaction:
    """An interaction with its payload: name and annotation, kind or class, optional, many."""

    name: str
    items: list[tuple[str, str | Class, bool, bool]] = attrs.field(factory=list)
    guard: str | None = None

    def text(self) -> str:
        lines = []
        for name, kind, optional, many in self.items:
            bare = kind if isinstance(kind, str) else kind.name
            bare = f"list[{bare}]" if many else bare
            lines.append(f"    {name}: {bare}{' | None' if optional else ''}")
        before, options = "", ""
        if self.guard is not None:
            function = f"admits_{self.name}"
            before = f"@iq.condition\ndef {function}(e: Event[{self.name}]) -> bool:\n    return {self.guard}\n\n\n"
            options = f"(guard={function})"
        return f"{before}@iq.interaction{options}\nclass {self.name}:\n" + "\n".join(lines or ["    pass"]) + "\n"


@attrs.define(eq=False, repr=False)
class Schema:
    """A drawn model."""

    classes: list[Class]
    interactions: list[Interaction]
    dictionaries: list[Class]

    def __repr__(self) -> str:
        return f"<a model of {', '.join(each.name for each in self.classes)}>"

    @property
    def is_timed(self) -> bool:
        """Whether anything changes with the clock."""
        fields = (field for cls in (*self.classes, *self.dictionaries) for field in cls.fields)
        return any((field.value or "").startswith("iq.RealTime") for field in fields)

    @property
    def source(self) -> str:
        classes = [*self.classes, *self.dictionaries]
        names = [each.name for each in (*classes, *self.interactions)]
        texts = [each.text() for each in (*self.interactions, *classes)]
        return "\n\n".join([PRELUDE, *texts, f"MODELS = [{', '.join(names)}]\n"])


def load(source: str) -> ModuleType:
    """The source as a module, its lines known to tracebacks and error messages."""
    module = ModuleType(MODULE)
    file = f"<{MODULE}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    sys.modules[MODULE] = module
    exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)
    return module


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Any model that the framework should take."""
    return _Drawing(draw).schema()


# -- paths --------------------------------------------------------------------------------


@attrs.frozen
class Path:
    """An attribute that is reached from a variable: its text, and which steps on the way may be None."""

    text: str
    guards: tuple[str, ...]
    kind: str | Class
    nullable: bool

    def guarded(self, test: str, word: str = "and") -> str:
        """``test`` where the way exists, else False (or True, for ``or``)."""
        conditions = [f"{each} is {'not ' if word == 'and' else ''}None" for each in self.guards]
        return f" {word} ".join([*conditions, test])

    def value(self) -> str:
        """The attribute where the way exists, else None."""
        if not self.guards:
            return self.text
        return f"{self.text} if {' and '.join(f'{each} is not None' for each in self.guards)} else None"


def paths(cls: Class, text: str, depth: int, guards: tuple[str, ...] = ()) -> Iterator[Path]:
    """What may be read of a record of ``cls``, through references to records that are drawn already."""
    if not cls.born:
        return
    for field in cls.fields:
        yield Path(f"{text}.{field.name}", guards, field.kind, field.nullable)
    for ref in cls.refs:
        here = f"{text}.{ref.name}"
        yield Path(here, guards, ref.target, ref.nullable)
        if depth:
            yield from paths(ref.target, here, depth - 1, (*guards, here) if ref.nullable else guards)


# -- drawing ------------------------------------------------------------------------------


class _Drawing:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.classes: list[Class] = []
        self.dictionaries: list[Class] = []
        self.interactions: list[Interaction] = []
        self._serial = itertools.count(1)

    def pick(self, options: Sequence[T]) -> T:
        return self.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def name(self, prefix: str) -> str:
        return f"{prefix}{next(self._serial)}"

    def schema(self) -> Schema:
        for index in range(self.pick([2, 1, 2, 3, 3, 4, 5])):
            self.make_class(index)
        for name in self.pick([[], [], ["Totals"], ["Totals", "Settings"]]):
            self.make_dictionary(name)
        for _ in range(self.draw(st.integers(2, 12))):
            self.add_rule()
        for each in [each for each in self.classes if not each.born]:
            if self.chance(50):
                self.derive(each)
        for each in self.classes:
            each.born = True
        for index in range(self.draw(st.integers(0, 4))):
            self.make_interaction(index)
        self.tell_of_changes()
        # A transform names its source, so what is derived comes after what it is derived from.
        classes = sorted(self.classes, key=lambda each: each.derived)
        return Schema(classes, self.interactions, self.dictionaries)

    # -- classes

    def make_class(self, index: int) -> None:
        entities = [each for each in self.classes if each.kind == "entity" and each.born]
        if entities and self.chance(35):
            cls = self.relation(index, entities)
        else:
            name = "User" if index == 0 else "ABCDE"[index]
            cls = Class(name, "entity", "@iq.entity")
            self.classes.append(cls)
            late = index > 0 and self.chance(45)
            cls.born = not late
            for _ in range(self.draw(st.integers(0, 2))):
                self.reference(cls, late)
            self.either(cls)
        cls.uuid = self.chance(10)
        for _ in range(self.draw(st.integers(1, 3))):
            cls.fields.append(self.plain_field(cls))
        if self.chance(40):
            machine = Field(self.name("state"), STATE, machine=True)
            cls.fields.append(machine)
            if self.chance(50):
                self.stamp(cls, machine.name, self.pick(["", "", ', to="live"']))

    def relation(self, index: int, entities: list[Class]) -> Class:
        repeatable, symmetric = self.chance(40), self.chance(30)
        options = ["repeatable=True"] * repeatable + ["symmetric=True"] * symmetric
        options += ["self_pairs=True"] * (symmetric and self.chance(40))
        cls = Class(f"R{index}", "relation", f"@iq.relation({', '.join(options)})" if options else "@iq.relation")
        self.classes.append(cls)
        # A pair that is linked once could be so only after it is let go elsewhere.
        cls.born = not (repeatable and self.chance(40))
        first = self.pick(entities)
        for end in ("left", "right"):
            target = first if symmetric or end == "left" else self.pick(entities)
            ref = Ref(end, target)
            cls.refs.append(ref)
            if not symmetric and self.chance(75):
                self.inverse(cls, ref)
        self.either(cls)
        return cls

    def either(self, cls: Class) -> None:
        """Perhaps a collection of the records of which either of two references names one, and those past it."""
        pairs = [
            (one, other)
            for one, other in itertools.combinations(cls.refs, 2)
            if one.target is other.target and not (one.unique or other.unique)
        ]
        if pairs and self.chance(60):
            one, other = self.pick(pairs)
            name, target = self.name("many"), one.target
            line = f'    {name}: Many[{cls.name}] = iq.many(inverse=("{one.name}", "{other.name}"))'
            target.colls.append(Coll(name, cls, line))
            if cls.kind == "relation" and self.chance(60):
                past = self.name("many")
                line = f'    {past}: Many[{target.name}] = iq.many(through="{name}")'
                target.colls.append(Coll(past, cls, line, target))

    def reference(self, cls: Class, late: bool) -> None:
        target = self.pick(self.classes)
        # What it refers to must be there first: nothing can be made of what needs itself.
        nullable = target is cls or late or not target.born or self.chance(40)
        on_delete = self.pick([None, "cascade", "cascade", "set_null"] if nullable else [None, "cascade"])
        ref = Ref(self.name("ref"), target, nullable, self.chance(15), on_delete)
        cls.refs.append(ref)
        if self.chance(85):
            self.inverse(cls, ref)

    def inverse(self, cls: Class, ref: Ref) -> None:
        name = self.name("many")
        if ref.unique:
            ref.target.mirrors.append(f'    {name}: {cls.name} | None = iq.one(inverse="{ref.name}")')
            return
        line = f'    {name}: Many[{cls.name}] = iq.many(inverse="{ref.name}")'
        ref.target.colls.append(Coll(name, cls, line))

    def through(self) -> None:
        """A collection past a relation, where it is clear which reference goes on."""
        options = [
            (owner, coll, onward)
            for owner in self.classes
            for coll in owner.colls
            if coll.far is None
            for onward in coll.link.refs
            if not onward.nullable
            and f'inverse="{onward.name}"' not in coll.line
            and [
                each.target
                for each in coll.link.refs
                if f'inverse="{each.name}"' not in coll.line
            ].count(onward.target) == 1
        ]  # fmt: skip
        if options:
            owner, coll, onward = self.pick(options)
            name = self.name("far")
            line = f'    {name}: Many[{onward.target.name}] = iq.many(through="{coll.name}")'
            owner.colls.append(Coll(name, coll.link, line, onward.target))

    def make_dictionary(self, name: str) -> None:
        """Global values that somebody sets; what is counted of whole classes comes with the other rules."""
        cls = Class(name, "dictionary", "@iq.dictionary")
        self.dictionaries.append(cls)
        for _ in range(self.draw(st.integers(0, 2))):
            field = self.plain_field(cls)
            cls.fields.append(attrs.evolve(field, unique=False, default=self.pick(LITERALS[field.kind])))
        if self.chance(30):
            cls.fields.append(Field(self.name("state"), STATE, machine=True))
        entities = [each for each in self.classes if each.born]
        if entities and self.chance(30):
            on_delete = self.pick([None, "set_null", "set_null"])
            cls.refs.append(Ref(self.name("ref"), self.pick(entities), True, False, on_delete, absent=True))

    def global_paths(self) -> list[Path]:
        """What any callback may read of dictionaries, as they are drawn so far."""
        return [path for each in self.dictionaries for path in paths(each, each.name, 1)]

    def plain_field(self, cls: Class) -> Field:
        kind = self.pick(["int", "int", "int", *LITERALS])
        nullable = self.chance(25)
        default = self.pick(LITERALS[kind]) if self.chance(15) else None
        unique = kind in ("int", "str") and cls.born and default is None and self.chance(8)
        return Field(self.name(kind[0].lower()), kind, nullable, unique, default)

    def stamp(self, cls: Class, name: str, way: str, late: bool = False) -> None:
        """Something that tells of changes to an attribute; a late reference could be one too many on a way."""
        match self.pick(["at", "count", "count", "actor", "actor" if late else "by"]):
            case "at":
                cls.fields.append(Field(self.name("stp_"), "dt.datetime", True, value=f"iq.changed_at({name}{way})"))
            case "count":
                cls.fields.append(Field(self.name("stp_"), "int", value=f"iq.change_count({name}{way})"))
            case "by" if self.classes[0] is not cls:
                ref = Ref(self.name("stp_"), self.classes[0], True, stamp=f"iq.changed_by({name}{way})")
                cls.refs.append(ref)
                self.inverse(cls, ref)
            case _:
                cls.fields.append(Field(self.name("stp_"), "str", True, value=f"iq.changed_by({name}{way})"))

    def tell_of_changes(self) -> None:
        """Each attribute of which something tells is changed by an interaction, and others are told of, too."""
        for cls in (*self.classes, *self.dictionaries):
            for field in [each for each in cls.fields if each.machine and not each.changes]:
                told = [each.value or "" for each in cls.fields] + [each.stamp or "" for each in cls.refs]
                if any(f"({field.name}" in each and "iq.change" in each for each in told):
                    act = Interaction(f"Act{len(self.interactions)}")
                    self.interactions.append(act)
                    field.changes.append(
                        f'iq.on({act.name}, {{"draft": "live", "live": "draft"}}{self.where(act, cls)})'
                    )
            for each in [each for each in (*cls.fields, *cls.refs) if each.changes and not getattr(each, "machine", 0)]:
                if self.chance(40):
                    ways = ["", ", to=None", ", leaving=None"] if isinstance(each, Ref) and each.nullable else [""]
                    self.stamp(cls, each.name, self.pick(ways), late=True)

    # -- expressions

    def condition(self, found: Sequence[Path], depth: int = 1) -> str:
        """A condition over what may be read."""
        if depth and self.chance(30):
            word = self.pick(["and", "or"])
            return f"({self.condition(found, 0)}) {word} ({self.condition(found, 0)})"
        path = self.pick(found)
        if isinstance(path.kind, Class):
            same = [each for each in found if each.kind is path.kind and each is not path and not each.guards]
            if path.nullable and not (same and self.chance(30)):
                return path.guarded(f"{path.text} is {self.pick(['not ', ''])}None")
            if same:
                return path.guarded(f"{path.text} {self.pick(['==', '!='])} {self.pick(same).text}")
            plain = [each for each in found if isinstance(each.kind, str)]
            return self.condition(plain, 0)
        test = self.pick(TESTS[path.kind]).format(path.text)
        if path.nullable:
            if self.chance(20):
                return path.guarded(f"{path.text} is None")
            path = attrs.evolve(path, guards=(*path.guards, path.text))
        return path.guarded(test, "or" if path.guards and self.chance(20) else "and")

    def number(self, kind: str, found: Sequence[Path], nullable: bool) -> str | None:
        """A number of the kind, None where it may be; None where there is nothing of that kind."""
        fitting = [each for each in found if each.kind == kind]
        if not fitting:
            return None
        path = self.pick(fitting)
        otherwise = "None" if nullable and self.chance(60) else ZERO[kind]
        guards = (*path.guards, path.text) if path.nullable else path.guards
        if path.nullable and not path.guards and otherwise == "None":
            return path.text
        text = path.text
        if self.chance(25):
            text = self.pick([f"{text} + {LITERALS[kind][1]}", f"-{text}", f"{text} * 2", f"abs({text})"])
            if kind == "float":
                text = text.replace("* 2", "* 2.0")
        if not guards:
            return text
        return f"{text} if {' and '.join(f'{each} is not None' for each in guards)} else {otherwise}"

    # -- what is derived

    def add_rule(self) -> None:
        unborn = [each for each in self.classes if not each.born]
        match self.pick(["aggregate", "aggregate", "aggregate", "derive", "derive", "computed", "through", "timed"]):
            case "derive" if unborn:
                self.derive(self.pick(unborn))
            case "computed":
                self.computed()
            case "timed":
                self.timed()
            case "through":
                self.through()
            case _:
                self.aggregate()

    def aggregate(self) -> None:
        options = [
            (cls, coll)
            for cls in self.classes
            if cls.born
            for coll in cls.colls
            if coll.link.born and coll.element.born
        ]  # fmt: skip
        whole = [(each, Coll(cls.name, cls, "")) for each in self.dictionaries for cls in self.classes if cls.born]
        if not options and not whole:
            return
        cls, coll = self.pick(whole if whole and (not options or self.chance(40)) else options)
        found, derived = self.weighed(paths(coll.element, "x", 2))
        sums = ["Count", "Count", "Summation", "Summation", "WeightedSummation", "Average", "Every", "Any"]
        rule = self.pick([*sums, "Maximum", "Minimum", "First", "Last", "Distinct"])
        where = f", where=lambda x: {self.condition(found)}" if self.chance(60) else ""
        kind = self.pick(NUMBERS)
        if rule in ("Maximum", "Minimum", "First", "Last", "Distinct"):
            field = self.lookup(rule, coll, found, where)
            if field is None:
                return
        elif rule == "Count":
            field = Field(self.name("num_"), "int", value=f"iq.Count({coll.name}{where})")
        elif rule in ("Every", "Any"):
            test = self.condition(found)
            field = Field(
                self.name("all_" if rule == "Every" else "any_"),
                "bool",
                value=f"iq.{rule}({coll.name}, where=lambda x: {test})",
            )
        else:
            of = self.number(kind, found, nullable=True) or self.number("int", found, nullable=True)
            if of is None:
                return
            if not any(each.kind == kind for each in found):
                kind = "int"
            if rule == "Summation":
                field = Field(self.name("sum_"), kind, value=f"iq.Summation({coll.name}, of=lambda x: {of}{where})")
            elif rule == "Average":
                default = f", default={self.pick(['0.0', '1.5'])}" if self.chance(40) else ""
                value = f"iq.Average({coll.name}, of=lambda x: {of}{where}{default})"
                field = Field(self.name("avg_"), "float", nullable=not default, value=value)
            else:
                weight = self.number(kind, [each for each in found if each not in derived], nullable=True) or of
                start = f", start={LITERALS[kind][2]}" if self.chance(25) else ""
                value = f"iq.WeightedSummation({coll.name}, lambda x: {weight}, lambda x: {of}{where}{start})"
                field = Field(self.name("sum_"), kind, value=value)
        cls.fields.append(field)

    def weighed(self, found: Iterable[Path]) -> tuple[list[Path], list[Path]]:
        """What may be read, what is derived several times, so that rules stand on one another; and that."""
        every = [*found, *self.global_paths() * 2]
        derived = [each for each in every if each.text.rsplit(".", 1)[1].startswith(DERIVED)]
        return every + derived * 3, derived

    def lookup(self, rule: str, coll: Coll, found: Sequence[Path], where: str) -> Field | None:
        """What is found by comparing records."""
        if rule == "Distinct":
            of = self.pick(found).value()
            return Field(self.name("dis_"), "int", value=f"iq.Distinct({coll.name}, of=lambda x: {of}{where})")
        ordered = [each for each in found if each.kind in ORDERED]
        if not ordered:
            return None
        if rule in ("Maximum", "Minimum"):
            path = self.pick(ordered)
            kind = str(path.kind)
            of = (self.number(kind, [path], nullable=True) if kind in NUMBERS else None) or path.value()
            by, prefix, may_default = "", rule[:3].lower() + "_", True
        else:
            path = self.pick([each for each in found if isinstance(each.kind, str)])
            kind, of = str(path.kind), path.value()
            by, prefix = f", by=lambda x: {self.pick(ordered).value()}", "fst_" if rule == "First" else "lst_"
            may_default = not (path.guards or path.nullable)
        default = f", default={self.pick(LITERALS[kind])}" if may_default and self.chance(30) else ""
        value = f"iq.{rule}({coll.name}, of=lambda x: {of}{by}{where}{default})"
        return Field(self.name(prefix), kind, nullable=not default, value=value)

    def computed(self) -> None:
        cls = self.pick([*(each for each in self.classes if each.born), *self.dictionaries])
        found = [*paths(cls, "self", 1), *self.global_paths()]
        if not found:
            return
        stored = self.chance(60)
        kind = self.pick(["bool", "bool", "int", "int", "Decimal", "float"])
        if kind == "bool":
            cls.fields.append(Field(self.name("is_"), "bool", body=self.condition(found), stored=stored))
        else:
            nullable = self.chance(40)
            value = self.number(kind, found, nullable)
            if value is not None:
                name = self.name("val_")
                cls.fields.append(Field(name, kind, nullable, body=value, stored=stored))

    def timed(self) -> None:
        """What changes with the clock."""
        cls = self.pick([*(each for each in self.classes if each.born), *self.dictionaries])
        found = [*paths(cls, "x", 1), *self.global_paths()]
        is_test = self.chance(60)
        text = self.pick(TIMED_TESTS if is_test else TIMED_NUMBERS)
        guards: list[str] = []
        for mark, kind in (("{t}", "dt.datetime"), ("{d}", "dt.date")):
            fitting = [each for each in found if each.kind == kind]
            if fitting and self.chance(85):
                path = self.pick(fitting)
                guards += [*path.guards, path.text] if path.nullable else path.guards
                text = text.replace(mark, path.text)
            text = text.replace(mark, self.pick(LITERALS[kind]))
        conditions = [f"{each} is not None" for each in dict.fromkeys(guards) if each in text]
        if found and self.chance(40):
            conditions.append(f"({self.condition(found)})")
        if is_test:
            value = " and ".join([*conditions, text])
        else:
            value = f"{text} if {' and '.join(conditions)} else 0" if conditions else text
        kind = "bool" if is_test else "int"
        cls.fields.append(Field(self.name("now_"), kind, value=f"iq.RealTime(lambda x, now: {value})"))

    def derive(self, cls: Class) -> None:
        """Make a class derived from one or two records, where they can give what it needs."""
        sources = [each for each in self.classes if each.born]
        for _ in range(self.pick([1, 1, 2])):
            with suppress(LookupError):
                cls.rules.append(self.derivation(cls, self.pick(sources)))
                cls.derived = True
        cls.born = True
        if cls.derived:
            # So that the text of a transform comes after that of its source.
            self.classes.remove(cls)
            self.classes.append(cls)

    def derivation(self, cls: Class, source: Class) -> str:
        found, _ = self.weighed(paths(source, "s", 2))
        root = [Path("s", (), source, False)]
        made = self.construction(cls, found, root)
        shape = self.pick(["one", "if", "two", "choice"])
        second = made if shape == "one" else self.construction(cls, found, root)
        text = {
            "one": made,
            "if": f"{made} if {self.condition(found)} else None",
            "two": f"[{made}, {second}]",
            "choice": f"{made} if {self.condition(found)} else [{second}, {made}]",
        }[shape]
        return f"    {self.name('made')} = iq.Transform({source.name}, lambda s: {text})"

    def construction(
        self, cls: Class, found: Sequence[Path], roots: Sequence[Path], event: bool = False, nested: bool = False
    ) -> str:
        """``Cls(a=..., b=...)`` of what may be read; every attribute that has no default is given.

        Where it is of an event, what it refers to may be new, too (one such reference, if ``nested``).
        """
        values = [
            f"{field.name}={self.value(field, found, event)}"
            for field in cls.fields
            if field.settable and (field.default is None or event)
        ]
        for ref in cls.refs:
            if ref.stamp is not None:
                continue
            fitting = [each for each in (*roots, *found) if each.kind is ref.target]
            fitting = [each for each in fitting if ref.nullable or not (each.guards or each.nullable)]
            if event and nested and ref.target.born and self.chance(20):
                nested = False
                with suppress(LookupError):
                    values.append(f"{ref.name}={self.construction(ref.target, found, roots, event, nested)}")
                    continue
            if fitting and (not ref.nullable or self.chance(70)):
                path = self.pick(fitting)
                text = path.text
                if path.guards:
                    text = f"{text} if {' and '.join(f'{each} is not None' for each in path.guards)} else None"
                values.append(f"{ref.name}={text}")
            elif ref.nullable:
                values.append(f"{ref.name}=None")
            else:
                raise LookupError(ref.name)
        if not event:
            cls.given |= {each.split("=", 1)[0] for each in values}
        return f"{cls.name}({', '.join(values)})"

    def value(self, field: Field, found: Sequence[Path], event: bool = False) -> str:
        if event and field.kind == "dt.datetime" and self.chance(40):
            return "e.at"
        fitting = [each for each in found if each.kind == field.kind and (field.nullable or not each.nullable)]
        fitting = [each for each in fitting if not each.guards or field.nullable or field.kind in ZERO]
        if fitting and self.chance(70):
            path = self.pick(fitting)
            if not path.guards:
                return path.text
            otherwise = "None" if field.nullable else ZERO[field.kind]
            return f"{path.text} if {' and '.join(f'{each} is not None' for each in path.guards)} else {otherwise}"
        return self.pick(LITERALS[field.kind])

    # -- interactions

    def make_interaction(self, index: int) -> None:
        act = Interaction(f"Act{index}")
        self.interactions.append(act)
        for _ in range(self.draw(st.integers(1, 3))):
            effect = self.pick(["move", "set", "refer", "create", "create", "end"])
            getattr(self, f"effect_{effect}")(act)
        if self.chance(30):
            found = self.readable(act)
            if found:
                act.guard = self.condition(found)

    def item(self, act: Interaction, kind: str | Class, optional: bool = False, many: bool = False) -> str:
        """A payload item of the kind: one that is there, or a new one."""
        fitting = [each[0] for each in act.items if each[1:] == (kind, optional, many)]
        if fitting and self.chance(60):
            return f"e.payload.{self.pick(fitting)}"
        name = self.name("item")
        act.items.append((name, kind, optional, many))
        return f"e.payload.{name}"

    def readable(self, act: Interaction) -> list[Path]:
        found = self.global_paths()
        for name, kind, optional, many in act.items:
            text = f"e.payload.{name}"
            if many:
                continue
            if isinstance(kind, str):
                found.append(Path(text, (), kind, optional))
            else:
                found += paths(kind, text, 1, (text,) if optional else ())
        return found

    def where(self, act: Interaction, cls: Class) -> str:
        """``record=`` of a change: one, one that may be missing, several that are given, or found by a way."""
        if cls.is_dictionary:
            return ""
        ways = ["one", "one", "optional", "many"]
        holders = [(owner, coll) for owner in self.classes for coll in owner.colls if coll.element is cls]
        ways += ["found"] if holders else []
        match self.pick(ways):
            case "one":
                return f", record=lambda e: {self.item(act, cls)}"
            case "optional":
                return f", record=lambda e: {self.item(act, cls, optional=True)}"
            case "many":
                return f", record=lambda e: {self.item(act, cls, many=True)}"
            case _:
                owner, coll = self.pick(holders)
                return f", record=lambda e: list({self.item(act, owner)}.{coll.name})"

    def effect_move(self, act: Interaction) -> None:
        options = [
            (cls, field)
            for cls in (*self.classes, *self.dictionaries)
            for field in cls.fields
            if field.machine and self.may_change_again(field, act)
        ]
        if options:
            cls, field = self.pick(options)
            moves = self.pick(['"draft": "live"', '"draft": "live", "live": "gone"', '"live": "draft", "gone": "live"'])
            where = self.where(act, cls)
            if self.chance(15) and not (cls.derived or cls.is_dictionary):
                moves = '"draft": "live", "live": iq.DELETED'
            elif self.chance(25):
                test = self.condition([*paths(cls, "x", 1), *self.readable(act)])
                state = self.pick([each for each in ("draft", "live", "gone") if f'"{each}":' not in moves])
                moves += f', "{state}": lambda e, x: "live" if {test} else "draft"'
            strict = ", strict=True" if self.chance(15) else ""
            field.changes.append(f"iq.on({act.name}, {{{moves}}}{where}{strict})")

    def may_change_again(self, attribute: Field | Ref, act: Interaction) -> bool:
        """Two changes of an attribute by one interaction are rare: of the same record they must agree."""
        return not any(f"iq.on({act.name}," in each for each in attribute.changes) or self.chance(25)

    def effect_set(self, act: Interaction) -> None:
        options = [
            (cls, field)
            for cls in (*self.classes, *self.dictionaries)
            for field in cls.fields
            if field.settable and self.may_change(cls, field, act)
        ]
        if options:
            cls, field = self.pick(options)
            where = self.where(act, cls)
            arguments = "e"
            if self.chance(60):
                value = self.item(act, field.kind, field.nullable and self.chance(50))
            else:
                known = [each for each in self.readable(act) if not each.guards]
                if self.chance(50):
                    arguments = "e, x"
                    known += [each for each in paths(cls, "x", 1) if not each.guards]
                value = self.value(field, known, event=True)
            field.changes.append(f"iq.on({act.name}{where}, set=lambda {arguments}: {value})")

    def effect_refer(self, act: Interaction) -> None:
        options = [
            (cls, ref)
            for cls in (*self.classes, *self.dictionaries)
            for ref in cls.refs
            if ref.stamp is None and self.may_change(cls, ref, act)
        ]
        if options:
            cls, ref = self.pick(options)
            value = self.item(act, ref.target, ref.nullable and self.chance(60))
            ref.changes.append(f"iq.on({act.name}{self.where(act, cls)}, set=lambda e: {value})")

    def may_change(self, cls: Class, attribute: Field | Ref, act: Interaction) -> bool:
        """Nothing that follows from a source."""
        if not self.may_change_again(attribute, act):
            return False
        return not (cls.derived and attribute.name in cls.given)

    def effect_create(self, act: Interaction) -> None:
        cls = self.pick(self.classes)
        made = self.created(act, cls)
        shape = self.pick(["one", "one", "if", "two"])
        second = self.created(act, cls) if shape == "two" else made
        found = self.readable(act)
        text = made
        if shape == "two":
            text = f"[{made}, {second}]"
        elif shape == "if" and found:
            text = f"{made} if {self.condition(found)} else None"
        cls.rules.append(f"    {self.name('done')} = iq.Transform({act.name}, lambda e: {text})")

    def created(self, act: Interaction, cls: Class) -> str:
        for ref in cls.refs:
            if ref.stamp is None and (not ref.nullable or self.chance(40)):
                self.item(act, ref.target)
        if self.chance(60):
            for field in cls.fields:
                if field.settable and field.default is None and self.chance(50):
                    self.item(act, field.kind, field.nullable)
        roots = [
            Path(f"e.payload.{name}", (), kind, optional) for name, kind, optional, many in act.items
            if isinstance(kind, Class) and not many
        ]  # fmt: skip
        return self.construction(cls, self.readable(act), roots, event=True, nested=True)

    def effect_end(self, act: Interaction) -> None:
        options = [each for each in self.classes if not each.derived]
        cls = self.pick(options)
        if self.chance(50):
            test = f"self == {self.item(act, cls)}"
        else:
            found = [*paths(cls, "self", 1)]
            test = self.condition([*found, *self.global_paths()])
            mine = [each for each in found if isinstance(each.kind, Class) and not each.guards]
            if mine:
                path = self.pick(mine)
                assert isinstance(path.kind, Class)
                test = f"{path.text} == {self.item(act, path.kind)} and ({test})"
        annotated = f"def {self.name('ended')}(self, e: Event[{act.name}]) -> bool"
        cls.rules.append(f"\n    @iq.deleted_by({act.name})\n    {annotated}:\n        return {test}\n")

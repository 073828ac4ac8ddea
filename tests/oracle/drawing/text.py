"""The text of a model that is being drawn: its classes and interactions, as a user would write them."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

__all__ = ["PRELUDE", "Class", "Coll", "Field", "Interaction", "Ref", "Schema"]

PRELUDE = """\
from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Literal

import interaqt as iq
from interaqt import Event, Many
from tests.oracle import computing


#: What side effects are told.
TOLD: list[iq.RecordChange[object]] = []


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"
    BLUE = "blue"
"""


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
    counts: bool = False
    """Whether records are counted by it, so that it stays as it is."""
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
            value = f"iq.field({', '.join(options)})" if options or self.counts else None
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
    counts: bool = False
    """Whether records are counted by it, so that it stays as it is."""

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
        said = f" = iq.one({', '.join(options)})" if options or self.counts else ""
        return f"    {self.name}: {self.annotation}{said}"


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
    """An entity, relation, dictionary or view that is being drawn."""

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
    of: Class | None = None
    """What a view is of, whose attributes it has."""
    watched: bool = False
    """Whether a side effect observes it."""

    base: Class | None = None
    """What a kind inherits from."""
    abstract: bool = False
    defaults: dict[str, str] = attrs.field(factory=dict)
    """What a kind says of attributes that it inherits."""

    def text(self) -> str:
        if self.of is not None:
            return f"{self.decorator}\nclass {self.name}({self.of.name}): ...\n{self._watching()}"
        has_key = not self.is_dictionary and self.base is None
        lines = [f"    id: {'uuid.UUID' if self.uuid else 'int'} = iq.key()"] if has_key else []
        lines += [
            f"    {each.name}: {each.annotation} = {each.default}"
            for each in self.every_field
            if each.name in self.defaults
        ]
        lines += [line for each in self.fields if each.settable or each.machine for line in each.lines()]
        lines += [each.line() for each in self.refs if each.stamp is None]
        lines += [each.line for each in self.colls]
        lines += self.mirrors
        lines += [each.line() for each in self.refs if each.stamp is not None]
        lines += [line for each in self.fields if not (each.settable or each.machine) for line in each.lines()]
        lines += self.rules
        body = "\n".join(lines or ["    pass"])
        decorator, bases = self.decorator, f"({self.base.name})" if self.base is not None else ""
        if self.abstract:
            decorator = decorator.removesuffix(")") + (", " if decorator.endswith(")") else "(") + "abstract=True)"
        return f"{decorator}\nclass {self.name}{bases}:\n{body}\n{self._watching()}"

    def _watching(self) -> str:
        if not self.watched:
            return ""
        return (
            f"\n\n@iq.side_effect({self.name})\ndef watch_{self.name}(change: iq.RecordChange[{self.name}]) -> None:\n"
            "    TOLD.append(change)\n"
        )

    @property
    def every_field(self) -> list[Field]:
        """What it has and inherits."""
        inherited = [] if self.base is None else self.base.every_field
        found = [*inherited, *self.fields]
        return (
            [attrs.evolve(each, default=self.defaults.get(each.name, each.default)) for each in found]
            if self.defaults
            else found
        )

    @property
    def every_ref(self) -> list[Ref]:
        return [*([] if self.base is None else self.base.every_ref), *self.refs]

    def is_a(self, other: object) -> bool:
        """Whether each of its records is one of the other's."""
        above = self.of or self.base
        return self is other or (above is not None and above.is_a(other))

    @property
    def home(self) -> Class:
        """What its records are made as."""
        return self if self.of is None else self.of.home

    @property
    def is_dictionary(self) -> bool:
        return self.kind == "dictionary"

    @property
    def is_numbered(self) -> bool:
        return any((each.value or "").startswith("iq.ScopedSequence") for each in self.fields)


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
    views: list[Class] = attrs.field(factory=list)

    def __repr__(self) -> str:
        return f"<a model of {', '.join(each.name for each in self.classes)}>"

    @property
    def is_timed(self) -> bool:
        """Whether anything changes with the clock."""
        fields = (field for cls in (*self.classes, *self.dictionaries) for field in cls.fields)
        return any((field.value or "").startswith("iq.RealTime") for field in fields)

    @property
    def source(self) -> str:
        classes = [each for cls in self.classes for each in (cls, *(view for view in self.views if view.home is cls))]
        classes += self.dictionaries
        names = [each.name for each in (*classes, *self.interactions)]
        names += [f"watch_{each.name}" for each in classes if each.watched]
        texts = [each.text() for each in (*self.interactions, *classes)]
        return "\n\n".join([PRELUDE, *texts, f"MODELS = [{', '.join(names)}]\n"])

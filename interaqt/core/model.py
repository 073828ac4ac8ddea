"""The resolved model: what the declarations of one controller mean, with every name found.

Declarations are what a user wrote; a ``Model`` is made of them once, when a controller is made
(``core.resolve``), and is what tracing, storage and the runtime read. It is never changed after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs

from interaqt.core.errors import Location
from interaqt.core.types import Kind, ValueType

if TYPE_CHECKING:
    from interaqt.core.computations import (
        Change,
        Computation,
        Creation,
        Derivation,
        Ending,
        SequenceRule,
        Stamp,
        Transition,
        ValueRule,
    )
    from interaqt.core.constraints import ConstraintModel
    from interaqt.core.expressions import Expr
    from interaqt.core.identity import Identity
    from interaqt.core.interaction import InteractionModel
    from interaqt.core.retention import RetentionModel
    from interaqt.core.sides import Sides

__all__ = [
    "ONLY",
    "Attribute",
    "Collection",
    "ComputedProperty",
    "Constant",
    "Family",
    "Index",
    "Mirror",
    "Model",
    "Property",
    "RecordModel",
    "Reference",
    "Whole",
    "constant_name",
]

#: The key of the only record of a dictionary.
ONLY = 1


def constant_name(dictionary: str) -> str:
    """What the step to a dictionary is called; no attribute of a user's can have such a name."""
    return f"@{dictionary}"


@attrs.define(eq=False, kw_only=True)
class Attribute:
    """Something that a record has, under a name."""

    record: RecordModel = attrs.field(repr=lambda record: record.name)
    """In whose table it is, or would be."""
    name: str
    location: Location = attrs.field(repr=False)
    owner: RecordModel = attrs.field(default=attrs.Factory(lambda self: self.record, takes_self=True), repr=False)
    """The record that declares it, which may be a part of what lies in that table."""

    def __str__(self) -> str:
        return f"{self.owner.name}.{self.name}"


@attrs.define(eq=False, kw_only=True)
class Property(Attribute):
    """A stored value. ``computation`` keeps it, if any; ``hidden`` ones are a computation's own."""

    type: ValueType
    column: str
    key: bool = False
    unique: bool = False
    index: bool = False
    hidden: bool = False
    late: bool = False
    """Whether it is None in each new row, and written later if at all."""
    computation: Computation | None = attrs.field(default=None, repr=False)
    live: Expr | None = attrs.field(default=None, repr=False)
    """What it is at present, over ``Root(HOST)`` and the time, where the stored value may be older."""
    changes: tuple[Transition[Any], ...] = attrs.field(default=(), repr=False)


@attrs.define(eq=False, kw_only=True)
class Reference(Attribute):
    """An x:1 step to a record of ``target``, stored as its key in a column of this record."""

    type: ValueType
    column: str
    target: RecordModel = attrs.field(repr=lambda record: record.name)
    unique: bool = False
    hidden: bool = False
    on_delete: str = "restrict"
    """What deleting the target does: ``restrict``, ``cascade`` or ``set_null``."""
    computation: Computation | None = attrs.field(default=None, repr=False)
    changes: tuple[Transition[Any], ...] = attrs.field(default=(), repr=False)

    def key_in(self, image: Mapping[str, Any]) -> Any:
        """The key of the target, of a row by its values."""
        return image[self.name]


@attrs.define(eq=False, kw_only=True)
class Constant(Reference):
    """The step from any record to the only one of a dictionary: always to the same key, so it has no column."""

    hidden: bool = True

    def key_in(self, image: Mapping[str, Any]) -> Any:
        return ONLY


@attrs.define(eq=False, kw_only=True)
class Mirror(Attribute):
    """The other side of a 1:1: the record whose ``via`` names this one, or None. No column."""

    type: ValueType
    target: RecordModel = attrs.field(repr=lambda record: record.name)
    via: Reference = attrs.field(repr=str)


@attrs.define(eq=False, kw_only=True)
class Collection(Attribute):
    """The records of ``link`` whose ``via`` names this record; past them to ``far``, if given.

    ``link`` is a record with a table of its own. Where the collection is of a part of what lies there,
    ``part`` is that, and ``where`` which rows, ``Root(LINK)``, are in it.
    """

    link: RecordModel = attrs.field(repr=lambda record: record.name)
    via: Reference = attrs.field(repr=str)
    far: Reference | None = attrs.field(default=None, repr=str)
    part: RecordModel | None = attrs.field(default=None, repr=str)
    where: Expr | None = attrs.field(default=None, repr=False)

    @property
    def target(self) -> RecordModel:
        """The model of the elements."""
        return self.part or (self.far.target if self.far is not None else self.link)


@attrs.define(eq=False, kw_only=True)
class Whole(Collection):
    """All records of ``link``, to a dictionary: each leads there by its constant."""

    def __str__(self) -> str:
        return f"all {self.target}"


@attrs.define(eq=False, kw_only=True)
class ComputedProperty(Attribute):
    """A value that follows from others of the same record; inlined where it is used, never stored."""

    type: ValueType
    function: Callable[[Any], Any]


@attrs.frozen
class Index:
    """Attributes by whose values records are found, and after ``found_by`` of them in which order they come.

    ``ordered`` says that the order is asked for.
    """

    attributes: tuple[str, ...]
    ordered: bool
    found_by: int = 1


@attrs.frozen(eq=False)
class Family:
    """The kinds of records that lie in one table, by name; ``kind`` is the property that says which one a row is."""

    kind: Property
    members: dict[str, RecordModel] = attrs.field(factory=dict)


@attrs.define(eq=False, kw_only=True)
class RecordModel:
    """An entity, a relation or a dictionary, or a part of one: some of the rows in another one's table.

    Parts are views, and the kinds of an entity from which others inherit; it is itself one of them
    then, beside the record of the table, which nobody names.
    """

    name: str
    cls: type[Any]
    table: str
    kind: str
    """``entity``, ``relation``, ``view`` or ``dictionary``; of the last there is one record, made at setup."""
    location: Location = attrs.field(repr=False)
    part_of: RecordModel | None = attrs.field(default=None, repr=lambda record: record and record.name)
    abstract: bool = False
    """Whether only the kinds that inherit from it are made."""
    family: Family | None = attrs.field(default=None, repr=False)
    """Of a table in which records of several kinds lie, those."""
    condition: Expr | None = attrs.field(default=None, repr=False)
    """Which rows of the table are its records, about ``Root(MEMBER)``; None for all of them."""
    attributes: dict[str, Attribute] = attrs.field(factory=dict, repr=False)
    ends: tuple[Reference, ...] = attrs.field(default=(), repr=False)
    """The two ends of a relation."""
    unique: tuple[tuple[str, ...], ...] = ()
    """Names of attributes that are unique together."""
    indexes: list[Index] = attrs.field(factory=list, repr=False)
    """What computations over its records look up."""
    rules: list[ValueRule] = attrs.field(factory=list, repr=False)
    """What keeps its derived values."""
    sequences: list[SequenceRule] = attrs.field(factory=list, repr=False)
    """What numbers its records."""
    changes: list[Change] = attrs.field(factory=list, repr=False)
    """What interactions do to its attributes."""
    stamps: list[Stamp] = attrs.field(factory=list, repr=False)
    """What tells of those changes."""
    creations: list[Creation] = attrs.field(factory=list, repr=False)
    """What interactions make of it."""
    derivations: list[Derivation] = attrs.field(factory=list, repr=False)
    """What other records make of it."""
    endings: list[Ending] = attrs.field(factory=list, repr=False)
    """What interactions end of it."""
    ended: Property | None = attrs.field(default=None, repr=False)
    """Of what other records are derived from: which of those of a row somebody has ended."""
    constraints: list[ConstraintModel] = attrs.field(factory=list, repr=False)
    """What its ``constraints=`` say."""
    identity: Identity | None = attrs.field(default=None, repr=False)
    retention: RetentionModel | None = attrs.field(default=None, repr=False)
    sides: Sides | None = attrs.field(default=None, repr=False)
    """What its records are sides of, if they are: the framework's own, which no user is told of."""

    @property
    def type(self) -> ValueType:
        return ValueType(Kind.RECORD, record=self)

    @cached_property
    def key(self) -> Property:
        return next(each for each in self.properties() if each.key)

    @property
    def root(self) -> RecordModel:
        """The record whose table its rows are in: itself, unless it is a part."""
        found = self
        while found.part_of is not None:
            found = found.part_of
        return found

    @property
    def is_view(self) -> bool:
        return self.kind == "view"

    @property
    def made_as(self) -> RecordModel:
        """What its records are made as: of a view, what it is a view of."""
        found = self
        while found.is_view:
            assert found.part_of is not None
            found = found.part_of
        return found

    @cached_property
    def kinds(self) -> tuple[RecordModel, ...]:
        """What each of its records is one of: itself, unless others inherit from it."""
        made, family = self.made_as, self.root.family
        if family is None:
            return (made,)
        return tuple(each for each in family.members.values() if each.is_a(made) and not each.abstract)

    def is_a(self, other: RecordModel) -> bool:
        """Whether each of its records is one of the other's, too."""
        found: RecordModel | None = self
        while found is not None and found is not other:
            found = found.part_of
        return found is not None

    @cached_property
    def telling(self) -> tuple[str, ...]:
        """What tells which record a row of its table is: its key, and of which kind, if there are several."""
        return (self.key.name,) if self.family is None else (self.key.name, self.family.kind.name)

    def class_of(self, row: Mapping[str, Any]) -> Any:
        """The class of a row of its table, as far as its values say of which kind it is."""
        kind = None if self.family is None else row.get(self.family.kind.name)
        return self.cls if kind is None or self.family is None else self.family.members[kind].cls

    @cached_property
    def is_of_one_kind(self) -> bool:
        """Whether it is known of which kind each of its rows is; a table of several may have rows of yet other ones."""
        return self.root.family is None or (len(self.kinds) == 1 and self.made_as.condition is not None)

    def attribute(self, name: str) -> Attribute:
        """What it has under a name, or the row that it is beside."""
        return self.attributes.get(name) or self.root.attributes[name]

    def stored(self) -> Iterator[Property | Reference]:
        """What has a column, in the order of declaration."""
        found = (each for each in self.attributes.values() if isinstance(each, Property | Reference))
        return (each for each in found if not isinstance(each, Constant))

    def properties(self) -> Iterator[Property]:
        return (each for each in self.attributes.values() if isinstance(each, Property))

    def references(self) -> Iterator[Reference]:
        return (each for each in self.stored() if isinstance(each, Reference))

    def constant(self, dictionary: object) -> Constant | None:
        """The step to the dictionary of a class; None where the model has no such one."""
        return next((each for each in self._constants if each.target.cls is dictionary), None)

    @cached_property
    def _constants(self) -> tuple[Constant, ...]:
        return tuple(each for each in self.attributes.values() if isinstance(each, Constant))

    @property
    def is_dictionary(self) -> bool:
        return self.kind == "dictionary"

    def collections(self) -> Iterator[Collection]:
        return (each for each in self.attributes.values() if isinstance(each, Collection))

    def __str__(self) -> str:
        return self.name


@attrs.frozen(eq=False)
class Model:
    """All that one controller knows of: its records, parts of them, and interactions, by class."""

    records: Mapping[type, RecordModel]
    interactions: Mapping[type, InteractionModel]
    user: RecordModel | None
    """The record that ``dispatch(..., user=)`` takes, if the model has one."""

    def record(self, cls: type) -> RecordModel | None:
        return self.records.get(cls)

    @cached_property
    def dictionaries(self) -> tuple[RecordModel, ...]:
        return tuple(record for record in self.records.values() if record.is_dictionary)

    def tables(self) -> list[RecordModel]:
        """The records that have tables of their own."""
        return list(dict.fromkeys(record.root for record in self.records.values()))

    def referring_to(self, target: RecordModel) -> Iterable[Reference]:
        """Every reference, of any record, to ``target``."""
        return [each for record in self.tables() for each in record.references() if each.target.root is target.root]

"""Transform: records that come of an interaction or of another record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar, overload

import attrs

from interaqt.core.callbacks import check_event_callback
from interaqt.core.computations.aggregation import INT, Computation
from interaqt.core.computations.rule import Rule
from interaqt.core.computations.stamps import Stamp
from interaqt.core.errors import InvalidComputation, Location, TraceError, being_declared, did_you_mean
from interaqt.core.event import Event
from interaqt.core.expressions import BOOL, STR, Expr, Root, all_of, negate
from interaqt.core.interaction import InteractionModel
from interaqt.core.model import Model, Property, RecordModel, Reference
from interaqt.core.parts import belongs, in_tables
from interaqt.core.tracing import Branch, Construction, Leaf, Tree, coerce, trace
from interaqt.core.types import ValueType

__all__ = ["SOURCE", "Creation", "Derivation", "Transform", "Variant", "resolve_transform"]

#: The name of the source record's root in a derivation's expressions.
SOURCE = "source"

P = TypeVar("P")
R = TypeVar("R")


class Transform(Computation, Generic[P]):
    """Makes records of the class in whose body it stands.

    From an interaction, ``make`` is called with the event, as plain Python inside the
    transaction, and answers one record, several, or None. It may run again when a conflict is
    retried, so it has no effects of its own.

    From an entity or relation, ``make`` is traced over its record: what it answers exists as
    long as the source does and follows its changes. What an interaction has changed of such a record
    (``changes=``) follows no longer. One that somebody ended - ``deleted_by``, ``iq.DELETED``, by hand,
    with a record that it refers to - stays away as long as its source goes on wanting it.
    """

    @overload
    def __init__(self, source: type[P], make: Callable[[Event[P]], object]) -> None: ...
    @overload
    def __init__(self, source: type[P], make: Callable[[P], object]) -> None: ...
    def __init__(self, source: type[P], make: Callable[[Any], Any]) -> None:
        self.source, self.make, self.location = source, make, Location.of_caller()
        if not isinstance(source, type):
            raise InvalidComputation(
                f"Transform takes the class of an interaction or an entity, not {source!r}",
                code="transform.source",
                subject=f"{being_declared()}: Transform(...)",
                location=self.location,
                hint=f"declare it above and write {source} without quotes" if isinstance(source, str) else "",
            )

    def __str__(self) -> str:
        return f"Transform({self.source.__name__})"


@attrs.frozen(eq=False)
class Creation:
    """A resolved Transform from an interaction: ``make(event)`` answers records of ``record``."""

    record: RecordModel
    interaction: InteractionModel
    make: Callable[[Any], Any]
    name: str
    location: Location

    def __str__(self) -> str:
        return f"{self.record}.{self.name}"


@attrs.frozen(eq=False)
class Variant:
    """One record that a source may have: the ``index``-th one, of kind ``record``, where ``condition`` holds."""

    index: int
    condition: Expr
    values: dict[str, Expr]
    record: RecordModel


@attrs.frozen(eq=False)
class Derivation(Rule):
    """A resolved Transform from a record: what of ``record`` exists for one ``Root(SOURCE)``.

    ``link`` and ``position`` are hidden attributes of the derived record: its source, and which
    of the source's it is. ``own`` has, for each attribute that interactions change, the hidden one
    which says that somebody has: then it does not follow its source. ``ended`` is one of the source's:
    of this rule and others, which records somebody has ended, see :meth:`token`; None where nobody can.
    """

    record: RecordModel
    source: RecordModel
    variants: tuple[Variant, ...]
    link: Reference
    position: Property
    name: str
    own: Mapping[str, Property] = {}
    ended: Property | None = None

    root = SOURCE

    def __str__(self) -> str:
        return f"{self.link.owner}.{self.name}"

    @property
    def location(self) -> Location:
        return self.link.location

    @cached_property
    def follows(self) -> frozenset[str]:
        """What is always as the source says: no interaction changes it."""
        return frozenset(name for variant in self.variants for name in variant.values) - self.own.keys()

    def token(self, index: int) -> str:
        """What says in ``ended``, between spaces, that somebody has ended the ``index``-th record."""
        return f"{self}#{index}"

    @property
    def makes_rows(self) -> bool:
        return True

    def reads(self) -> Iterator[Expr]:
        for variant in self.variants:
            yield variant.condition
            yield from variant.values.values()


def resolve_transform(model: Model, record: RecordModel, transform: Transform[Any]) -> None:
    """Add the transform's rule to the record that it makes."""
    interaction = model.interactions.get(transform.source)
    subject = f"{record}.{transform.name}: {transform}"
    if interaction is not None:
        check_event_callback(transform.make, interaction, subject, transform.location)
        record.root.creations.append(Creation(record, interaction, transform.make, transform.name, transform.location))
        return
    source = model.record(transform.source)
    if source is None:
        known = [cls.__name__ for cls in (*model.records, *model.interactions) if cls.__module__[:9] != "interaqt."]
        raise InvalidComputation(
            f"{transform.source.__name__} is neither an interaction nor a record of this controller. "
            f"{did_you_mean(transform.source.__name__, known)}",
            code="transform.source",
            subject=subject,
            location=transform.location,
            hint="decorate the class, and give it to the controller with the other models",
        )
    if source.is_dictionary:
        raise InvalidComputation(
            f"{source} is a dictionary; records follow from an interaction or from other records",
            code="transform.source",
            subject=subject,
            location=transform.location,
            hint=f"let them follow from the records that {source} is about, and read {source}.some_value in it",
        )
    table, made = source.root, record.root
    if table is made:
        message, hint = f"a {record} that makes another {record} has no end", ""
        if source.made_as is not record:
            both = f"{source.made_as} and {record} are kinds of {made}"
            message = f"{both} and lie in one table, which would follow from itself"
            hint = f"let an interaction make both, or declare {record} as an entity of its own"
        raise InvalidComputation(
            message, code="transform.self", subject=subject, location=transform.location, hint=hint
        )
    tree = trace(transform.make, [Root(SOURCE, source)], subject=subject, location=transform.location)
    # Kinds that lie in one table may each have a transform of the same name.
    prefix = f"{transform.name}_" if record.condition is None else f"{record.name.lower()}__{transform.name}_"
    link = Reference(
        record=made,
        owner=record,
        name=f"{prefix}_source",
        location=transform.location,
        type=table.type.optional(),
        column=f"{prefix}_source",
        target=table,
        hidden=True,
        # The engine deletes what a source made before the source.
        on_delete="cascade",
    )
    position = Property(
        record=made,
        owner=record,
        name=f"{prefix}_index",
        location=transform.location,
        type=INT.optional(),
        column=f"{prefix}_index",
        hidden=True,
    )
    made.attributes |= {link.name: link, position.name: position}
    made.unique = (*made.unique, (link.name, position.name))
    # What leaves a view takes with it what it made there.
    within = belongs(source, Root(SOURCE, table))
    kinds = {each.cls: each for each in record.kinds}
    variants = tuple(_variants(tree, (within,), record, kinds, subject, transform.location))
    own = _own(made, {name for variant in variants for name in variant.values})
    made.derivations.append(Derivation(made, table, variants, link, position, transform.name, own, _ended(table)))


def _own(made: RecordModel, names: Iterable[str]) -> dict[str, Property]:
    """What says of each of the named attributes, if interactions change it, that somebody has."""
    found = {}
    for name in sorted(names):
        attribute = made.attributes[name]
        assert isinstance(attribute, Property | Reference)
        if attribute.changes:
            hidden = f"{name}__own"
            mark = made.attributes.get(hidden)
            if not isinstance(mark, Property):
                mark = made.attributes[hidden] = _late(made, hidden, BOOL, attribute.location, attribute.owner)
                made.stamps.append(Stamp(mark, attribute, "own"))
            found[name] = mark
    return found


def _ended(source: RecordModel) -> Property:
    """Where a row remembers which of the records that follow from it were ended; it goes with the row."""
    if source.ended is None:
        source.ended = _late(source, "iq__ended", STR, source.location, source)
        source.attributes[source.ended.name] = source.ended
    return source.ended


def _late(record: RecordModel, name: str, type: ValueType, location: Location, owner: RecordModel) -> Property:
    return Property(
        record=record,
        owner=owner,
        name=name,
        location=location,
        type=type.optional(),
        column=name,
        hidden=True,
        late=True,
    )


def _variants(
    tree: Tree,
    path: tuple[Expr, ...],
    record: RecordModel,
    kinds: Mapping[type, RecordModel],
    subject: str,
    location: Location,
) -> list[Variant]:
    if isinstance(tree, Branch):
        holds = in_tables(tree.condition)
        return [
            *_variants(tree.then, (*path, holds), record, kinds, subject, location),
            *_variants(tree.otherwise, (*path, negate(holds)), record, kinds, subject, location),
        ]
    assert isinstance(tree, Leaf)
    made = tree.value if isinstance(tree.value, list | tuple) else [] if tree.value is None else [tree.value]
    found = []
    for index, each in enumerate(made):
        kind = kinds.get(each.record_class) if isinstance(each, Construction) else None
        if kind is None:
            shown = f"{each.record_class.__name__}(...)" if isinstance(each, Construction) else repr(each)
            raise InvalidComputation(
                f"it stands in {record}, so it answers {record}(...), a list of them, or None, not {shown}",
                code="transform.result",
                subject=subject,
                location=location,
            )
        _require_all(kind, each.values, subject, location)
        values = {name: _value(kind, name, value, subject, location) for name, value in each.values.items()}
        found.append(Variant(index, all_of(*path), values, kind))
    return found


def _require_all(record: RecordModel, given: Mapping[str, object], subject: str, location: Location) -> None:
    cls: Any = record.cls
    missing = [each.name for each in attrs.fields(cls) if each.init and each.default is attrs.NOTHING]
    missing = [name for name in missing if name not in given]
    if missing and not set(given) - record.attributes.keys():
        raise InvalidComputation(
            f"{record}(...) is made without {', '.join(missing)}",
            code="transform.missing",
            subject=subject,
            location=location,
            hint=f"give it, or declare a default: {missing[0]}: ... = iq.field(default=...)",
        )


def _value(record: RecordModel, name: str, value: object, subject: str, location: Location) -> Expr:
    attribute = record.attributes.get(name)
    if not isinstance(attribute, Property | Reference):
        raise InvalidComputation(
            f"{record} has no attribute {name!r} to give. "
            f"{did_you_mean(name, [each.name for each in record.stored() if not each.hidden])}",
            code="transform.attribute",
            subject=subject,
            location=location,
        )
    if attribute.computation is not None:
        raise InvalidComputation(
            f"{name} is not given: it follows from its {attribute.computation}",
            code="transform.derived",
            subject=subject,
            location=location,
            hint="leave it out",
        )
    try:
        return in_tables(coerce(value, attribute.type))
    except TraceError as error:
        error.at(subject, location)
        raise

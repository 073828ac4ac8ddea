"""How rows become records: one generated function per record class.

A record's values lie in its ``__dict__`` under their names, as if its ``__init__`` had put them
there. The key of a reference lies beside them under :func:`key_name`; the record that it refers
to is loaded when first asked for.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import peewee

from interaqt.core.errors import StorageError
from interaqt.core.expressions import HOST
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.record import ORIGIN, Origin, Record
from interaqt.storage.schema import Schema, column
from interaqt.storage.scope import Row, Scope

if TYPE_CHECKING:
    from interaqt.storage.dialect import Dialect
    from interaqt.storage.row_classes import RowClasses

__all__ = ["ORIGIN", "Shape", "key_name"]


Make = Callable[[Iterable[Sequence[Any]], Origin], list[Record]]


def key_name(reference: Reference) -> str:
    """Where a record keeps the key of what it refers to; no attribute can be called so."""
    return f"#{reference.name}"


class Shape:
    """The columns that are loaded of a record, and ``make``, which makes instances of rows of them.

    What computations keep for themselves is not loaded. Of a table in which several kinds of records
    lie, the columns of all kinds are loaded that a row may be of, and what says which it is.
    """

    def __init__(self, record: RecordModel, schema: Schema, classes: RowClasses) -> None:
        self.record = record
        self._schema = schema
        dialect = schema.dialect
        self._classes = classes
        kinds, family = record.kinds, record.root.family
        if family is None or record.is_of_one_kind:
            self.attributes = _loaded(kinds[0])
            self.source, self.make = _factory(record.name, classes.of(record, kinds[0]), self.attributes, dialect)
            return
        stored = _loaded(record.root)
        every = tuple(each for each in stored if any(kind.is_a(each.owner) for kind in kinds))
        self.attributes = (family.kind, *every)
        made = {kind.name: self._of_kind(kind, dialect) for kind in kinds}
        self.source = "\n".join(source for source, _ in made.values())
        self.make = _each_its_own({name: make for name, (_, make) in made.items()}, record)

    def _of_kind(self, kind: RecordModel, dialect: Dialect) -> tuple[str, Make]:
        known = {each.name: each for each in _loaded(kind)}
        attributes = tuple(known.get(each.name) for each in self.attributes)
        return _factory(kind.name, self._classes.of(self.record, kind), attributes, dialect)

    def columns(self, table: peewee.Source) -> list[peewee.Node]:
        """What is selected of the table; of what changes with time, what it is at present."""
        scope = Scope(self._schema, {HOST: Row(table)}, live=True)
        return [
            scope.render(each.live) if isinstance(each, Property) and each.live is not None else column(table, each)
            for each in self.attributes
        ]

    def known(self, values: Mapping[str, Any], origin: Origin) -> Record:
        """An instance with some values, by attribute name; references by key. The rest is loaded when needed."""
        kind = self._kind(values)
        cls = self._classes.of(self.record, kind)
        record: Record = cls.__new__(cls)
        place = record.__dict__
        place[ORIGIN] = origin
        for name, value in values.items():
            attribute = kind.attributes.get(name)
            if attribute is None or getattr(attribute, "hidden", False):
                continue
            if isinstance(attribute, Reference):
                place[key_name(attribute)] = value
                if value is None:
                    place[name] = None
            else:
                place[name] = value
        return record

    def _kind(self, values: Mapping[str, Any]) -> RecordModel:
        family = self.record.root.family
        if family is None or self.record.is_of_one_kind:
            return self.record.kinds[0]
        return family.members[values[family.kind.name]]


def _loaded(record: RecordModel) -> tuple[Property | Reference, ...]:
    return tuple(each for each in record.stored() if not each.hidden)


def _each_its_own(makers: Mapping[str, Make], record: RecordModel) -> Make:
    """Makes each row, whose first cell says of which kind it is, by the maker of that kind."""

    def make(rows: Iterable[Sequence[Any]], origin: Origin) -> list[Record]:
        made: list[Record] = []
        for row in rows:
            maker = makers.get(row[0])
            if maker is None:
                raise StorageError(
                    f"a row of the table {record.table!r} is a {row[0]!r}, and no model is one",
                    code="storage.unknown_kind",
                    hint="give the class to the controller with the other models",
                )
            made += maker((row,), origin)
        return made

    return make


def _factory(
    name: str, cls: Any, attributes: Sequence[Property | Reference | None], dialect: Dialect
) -> tuple[str, Make]:
    """The source of the function, and the function; a cell of no attribute is passed over."""
    scope: dict[str, Any] = {"cls": cls, "new": cls.__new__, "put": object.__setattr__}
    entries, after = [f"{ORIGIN!r}: origin"], []
    for place, each in enumerate(attributes):
        if each is None:
            continue
        convert = dialect.from_db(each.type)
        value = f"value_{place}"
        if convert is not None:
            scope[f"convert_{place}"] = convert
            value = f"convert_{place}({value})"
        key = key_name(each) if isinstance(each, Reference) else each.name
        entries.append(f"{key!r}: {value}")
        if isinstance(each, Reference) and each.type.nullable:
            after.append(f"        if value_{place} is None:\n            known[{each.name!r}] = None\n")
    source = (
        "def make(rows, origin):\n"
        "    made = []\n"
        f"    for {', '.join(f'value_{place}' for place in range(len(attributes)))}, in rows:\n"
        "        record = new(cls)\n"
        f"        known = {{{', '.join(entries)}}}\n"
        + "".join(after)
        # A record refuses to be set; its dictionary is put in place whole.
        + "        put(record, '__dict__', known)\n"
        "        made.append(record)\n"
        "    return made\n"
    )
    filename = f"<interaqt make {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), scope)
    make: Make = scope["make"]
    return source, make

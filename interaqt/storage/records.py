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

from interaqt.core.expressions import HOST
from interaqt.core.model import Property, RecordModel, Reference
from interaqt.core.record import Origin, Record
from interaqt.storage.schema import Schema, column
from interaqt.storage.scope import Row, Scope

if TYPE_CHECKING:
    from interaqt.storage.dialect import Dialect

__all__ = ["ORIGIN", "Shape", "key_name"]

ORIGIN = "__iq_origin__"

Make = Callable[[Iterable[Sequence[Any]], Origin], list[Record]]


def key_name(reference: Reference) -> str:
    """Where a record keeps the key of what it refers to; no attribute can be called so."""
    return f"#{reference.name}"


class Shape:
    """The columns that are loaded of a record, and ``make``, which makes instances of rows of them.

    What computations keep for themselves is not loaded.
    """

    def __init__(self, record: RecordModel, schema: Schema) -> None:
        self.record = record
        self.attributes = tuple(each for each in record.stored() if not each.hidden)
        self.source, self.make = _factory(record, self.attributes, schema.dialect)
        self._schema = schema

    def columns(self, table: peewee.Source) -> list[peewee.Node]:
        """What is selected of the table; of what changes with time, what it is at present."""
        scope = Scope(self._schema, {HOST: Row(table)}, live=True)
        return [
            scope.render(each.live) if isinstance(each, Property) and each.live is not None else column(table, each)
            for each in self.attributes
        ]

    def known(self, values: Mapping[str, Any], origin: Origin) -> Record:
        """An instance with some values, by attribute name; references by key. The rest is loaded when needed."""
        cls: Any = self.record.cls
        record: Record = cls.__new__(cls)
        place = record.__dict__
        place[ORIGIN] = origin
        for name, value in values.items():
            attribute = self.record.attributes[name]
            if isinstance(attribute, Reference):
                place[key_name(attribute)] = value
                if value is None:
                    place[name] = None
            elif not getattr(attribute, "hidden", False):
                place[name] = value
        return record


def _factory(record: RecordModel, attributes: Sequence[Property | Reference], dialect: Dialect) -> tuple[str, Make]:
    """The source of the function, and the function."""
    scope: dict[str, Any] = {"cls": record.cls, "new": record.cls.__new__, "put": object.__setattr__}
    entries, after = [f"{ORIGIN!r}: origin"], []
    for place, each in enumerate(attributes):
        convert = dialect.from_db(each.type)
        value = f"value_{place}"
        if convert is not None:
            scope[f"convert_{place}"] = convert
            value = f"convert_{place}({value})"
        name = key_name(each) if isinstance(each, Reference) else each.name
        entries.append(f"{name!r}: {value}")
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
    filename = f"<interaqt make {record.name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), scope)
    make: Make = scope["make"]
    return source, make

"""Drawing what there is: entities, relations, dictionaries, their fields, references and collections."""

from __future__ import annotations

import itertools

import attrs
from hypothesis import strategies as st

from tests.oracle.drawing.expressions import Expressions
from tests.oracle.drawing.text import Class, Coll, Field, Ref
from tests.oracle.drawing.values import COUNTED_BY, LITERALS, STATE

__all__ = ["Structure"]


class Structure(Expressions):
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
            self.machine(cls)
        # In which order records are made that follow from others is nobody's business.
        for _ in range(self.pick([0, 0, 0, 1, 1, 2]) if cls.born else 0):
            self.sequence(cls)

    def sequence(self, cls: Class) -> None:
        """A number, in a scope of some attributes or in the whole class."""
        options: list[Field | Ref] = [each for each in cls.fields if each.settable and each.kind in COUNTED_BY]
        options += [each for each in cls.refs if each.stamp is None]
        options = [each for each in options if not each.nullable]
        scope = self.draw(st.lists(st.sampled_from(options), max_size=2, unique=True)) if options else []
        for each in scope:
            each.counts = True
        start = self.pick([[], [], ["start=7"], ["start=-1"]])
        name = self.name("seq_")
        text = ", ".join([*(each.name for each in scope), *start])
        cls.fields.append(Field(name, "int", value=f"iq.ScopedSequence({text})"))

    def machine(self, cls: Class) -> None:
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
            for onward in coll.link.every_ref
            if not onward.nullable
            and 'inverse=("' not in coll.line
            and f'inverse="{onward.name}"' not in coll.line
            and [
                each.target
                for each in coll.link.every_ref
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

"""Drawing what is computed: over collections and whole classes, of a record itself, and with the clock."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from tests.oracle.drawing.expressions import Expressions
from tests.oracle.drawing.paths import Path
from tests.oracle.drawing.text import Class, Coll, Field
from tests.oracle.drawing.values import LITERALS, NUMBERS, ORDERED, TIMED_NUMBERS, TIMED_TESTS

__all__ = ["Computations"]


class Computations(Expressions):
    def over(self) -> tuple[Class, Coll] | None:
        """A class, and what something of it may be computed over: a collection, or all records of another."""
        options = [
            (cls, coll)
            for cls in self.classes
            if cls.born
            for coll in cls.colls
            if coll.link.born and coll.element.born
        ]  # fmt: skip
        # Of what it inherits a kind says where it is declared.
        options += [
            (cls, attrs.evolve(coll, name=f"{above.name}.{coll.name}"))
            for cls, above in ((each, each.base) for each in self.classes)
            if above is not None
            for coll in above.colls
            if coll.link.born and coll.element.born
        ]  # fmt: skip
        whole = [
            (each, Coll(cls.name, cls, ""))
            for each in self.dictionaries
            for cls in (*self.classes, *self.views)
            if cls.born
        ]
        if not options and not whole:
            return None
        return self.pick(whole if whole and (not options or self.chance(40)) else options)

    def aggregate(self) -> None:
        over = self.over()
        if over is None:
            return
        cls, coll = over
        found, derived = self.weighed(self.paths(coll.element, "x", 2))
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
        found = [*self.paths(cls, "self", 1), *self.global_paths()]
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
        found = [*self.paths(cls, "x", 1), *self.global_paths()]
        is_test = self.chance(60)
        text = self.pick(TIMED_TESTS if is_test else TIMED_NUMBERS)
        guards: list[str] = []
        for mark, kind in (("{t}", "dt.datetime"), ("{d}", "dt.date")):
            fitting = [each for each in found if each.kind == kind]
            if fitting and mark in text and self.chance(85):
                path = self.pick(fitting)
                guards += [*path.guards, f"{path.text} is not None"] if path.nullable else path.guards
                text = text.replace(mark, path.text)
            text = text.replace(mark, self.pick(LITERALS[kind]))
        conditions = list(dict.fromkeys(guards))
        if found and self.chance(40):
            conditions.append(f"({self.condition(found)})")
        if is_test:
            value = " and ".join([*conditions, text])
        else:
            value = f"{text} if {' and '.join(conditions)} else 0" if conditions else text
        kind = "bool" if is_test else "int"
        cls.fields.append(Field(self.name("now_"), kind, value=f"iq.RealTime(lambda x, now: {value})"))

"""Drawing what is made: of other records, and, as interactions do, of an event."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from tests.oracle.drawing.expressions import Expressions
from tests.oracle.drawing.paths import Path
from tests.oracle.drawing.text import Class, Field
from tests.oracle.drawing.values import LITERALS, ZERO

__all__ = ["Derivations"]


class Derivations(Expressions):
    def derive(self, cls: Class) -> None:
        """Make a class derived from one or two records, where they can give what it needs."""
        sources = [*(each for each in self.classes if each.born), *self.views * 2]
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
        found, _ = self.weighed(self.paths(source, "s", 2))
        root = [Path("s", (), source.home, False)]
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
        """``Cls(a=..., b=...)`` of what may be read, or one of its kinds; every attribute that has no default is given.

        Where it is of an event, what it refers to may be new, too (one such reference, if ``nested``).
        """
        if not event or cls.abstract:
            cls = self.one_of(cls)
        values = [
            f"{field.name}={self.value(field, found, event)}"
            for field in cls.every_field
            if field.settable and (field.default is None or event)
        ]
        for ref in cls.every_ref:
            if ref.stamp is not None:
                continue
            fitting = [each for each in (*roots, *found) if isinstance(each.kind, Class) and each.kind.is_a(ref.target)]
            fitting = [each for each in fitting if ref.nullable or not (each.guards or each.nullable)]
            if event and nested and ref.target.born and not ref.target.is_numbered and self.chance(20):
                nested = False
                with suppress(LookupError):
                    values.append(f"{ref.name}={self.construction(ref.target, found, roots, event, nested)}")
                    continue
            if fitting and (not ref.nullable or self.chance(70)):
                path = self.pick(fitting)
                text = path.text
                if path.guards:
                    text = f"{text} if {' and '.join(path.guards)} else None"
                values.append(f"{ref.name}={text}")
            elif ref.nullable:
                values.append(f"{ref.name}=None")
            else:
                raise LookupError(ref.name)
        if not event:
            cls.given |= {each.split("=", 1)[0] for each in values}
        return f"{cls.name}({', '.join(values)})"

    def one_of(self, cls: Class) -> Class:
        """The class or one of its kinds, of which there may be records that are no more than that."""
        return self.pick([each for each in self.classes if each.is_a(cls) and not each.abstract])

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
            return f"{path.text} if {' and '.join(path.guards)} else {otherwise}"
        return self.pick(LITERALS[field.kind])

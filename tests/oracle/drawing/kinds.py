"""Drawing kinds: classes that inherit from one that is drawn already, and collections of them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.oracle.drawing.structure import Structure
from tests.oracle.drawing.text import Class, Coll
from tests.oracle.drawing.values import LITERALS

__all__ = ["Kinds"]


class Kinds(Structure):
    def make_kind(self, index: int) -> None:
        """A kind of a class, with what it has of its own, and perhaps another default for what it inherits."""
        base = self.pick([each for each in self.classes if each.born])
        cls = Class(f"K{index}", base.kind, f"@iq.{base.kind}", uuid=base.uuid, base=base)
        self.classes.append(cls)
        for _ in range(self.draw(st.integers(0, 1))):
            self.reference(cls, late=False)
        for _ in range(self.draw(st.integers(0, 2))):
            cls.fields.append(self.plain_field(cls))
        if self.chance(25):
            self.machine(cls)
        inherited = [each for each in base.every_field if each.settable and not each.unique]
        if inherited and self.chance(25):
            field = self.pick(inherited)
            cls.defaults[field.name] = self.pick(LITERALS[field.kind])
        if self.chance(25):
            base.abstract = True
        self.narrow(cls, base)

    def narrow(self, part: Class, of: Class) -> None:
        """Beside some collections of a class, those of its kind or its view."""
        for cls in self.classes:
            for coll in list(cls.colls):
                if coll.element is of and self.chance(60):
                    name = self.name("some")
                    line = coll.line.replace(f"{coll.name}: Many[{of.name}]", f"{name}: Many[{part.name}]")
                    far = part if coll.far is not None else None
                    cls.colls.append(Coll(name, coll.link if far else part, line, far))

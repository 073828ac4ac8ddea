"""Drawing what only Python can say: ``iq.Custom`` over collections, whole classes and the record itself."""

from __future__ import annotations

from collections.abc import Sequence

from tests.oracle.computing import COMPUTES
from tests.oracle.drawing.computations import Computations
from tests.oracle.drawing.paths import Path
from tests.oracle.drawing.text import Class, Field
from tests.oracle.drawing.values import LITERALS

__all__ = ["Customs"]


class Customs(Computations):
    def custom(self) -> None:
        over = self.over() if self.chance(70) else None
        if over is None:
            self.own_custom()
            return
        cls, coll = over
        found, _ = self.weighed(self.paths(coll.element, "x", 2))
        where = f", where=lambda x: {self.condition(found)}" if self.chance(40) else ""
        inputs = f"inputs=lambda x: {self.values(found)}{where}"
        form = self.pick(["whole", "whole", "reads", "reads", "step", "step", "largest", "state"])
        own = self.own(cls) if form == "reads" else None
        if form in ("step", "largest", "state"):
            made = {
                "step": "compute=computing.total, step=computing.next_total",
                "largest": "compute=computing.largest, step=computing.next_largest, initial=None",
                "state": 'state={"rows": 0, "total": 0}, compute=computing.counted, step=computing.recounted',
            }[form]
            self.keep(cls, "int", form == "largest", f"{coll.name}, {inputs}, {made}")
            return
        kind, nullable, compute = self.computing()
        reads = f", reads=lambda own: {own}" if own is not None else ""
        initial = f", initial={self.pick(LITERALS[kind])}" if self.chance(30) else ""
        self.keep(cls, kind, nullable, f"{coll.name}, {inputs}{reads}, compute=computing.{compute}{initial}")

    def own_custom(self) -> None:
        cls = self.pick([*(each for each in self.classes if each.born), *self.dictionaries])
        own = self.own(cls)
        if own is not None:
            kind, nullable, compute = self.computing()
            self.keep(cls, kind, nullable, f"reads=lambda own: {own}, compute=computing.{compute}")

    def computing(self) -> tuple[str, bool, str]:
        """The kind of what is computed, whether it may be None, and by what."""
        kind = self.pick(["int", "int", *COMPUTES])
        return ("int", True, "perhaps") if self.chance(15) else (kind, False, COMPUTES[kind])

    def keep(self, cls: Class, kind: str, nullable: bool, arguments: str) -> None:
        # So many are never written at once here; what is beyond them has its own tests.
        touches = ", touches=500" if self.chance(10) else ""
        cls.fields.append(Field(self.name("cus_"), kind, nullable, value=f"iq.Custom({arguments}{touches})"))

    def own(self, cls: Class) -> str | None:
        """What is read of the record itself."""
        found, _ = self.weighed(self.paths(cls, "own", 1))
        return self.values(found) if any(isinstance(each.kind, str) for each in found) else None

    def values(self, found: Sequence[Path]) -> str:
        """Some of what may be read: a tuple, or one value alone."""
        plain = [each for each in found if isinstance(each.kind, str)]
        count = self.pick([1, 1, 2, 3])
        texts = [self.condition(found) if self.chance(15) else self.pick(plain).value() for _ in range(count)]
        return texts[0] if len(texts) == 1 and self.chance(50) else f"({', '.join(texts)},)"

"""Drawing expressions: conditions and numbers over what may be read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TypeVar

import attrs
from hypothesis import strategies as st

from tests.oracle.drawing.paths import Path, paths
from tests.oracle.drawing.text import Class, Interaction
from tests.oracle.drawing.values import DERIVED, LITERALS, TESTS, ZERO

__all__ = ["Expressions"]

T = TypeVar("T")


class Expressions:
    """What is drawn so far, and what can be said of it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.classes: list[Class] = []
        self.dictionaries: list[Class] = []
        self.views: list[Class] = []
        self.interactions: list[Interaction] = []
        self._serial = itertools.count(1)

    def pick(self, options: Sequence[T]) -> T:
        return self.draw(st.sampled_from(options))

    def chance(self, percent: int) -> bool:
        return self.draw(st.integers(0, 99)) >= 100 - percent

    def name(self, prefix: str) -> str:
        return f"{prefix}{next(self._serial)}"

    def global_paths(self) -> list[Path]:
        """What any callback may read of dictionaries, as they are drawn so far."""
        return [path for each in self.dictionaries for path in self.paths(each, each.name, 1)]

    def paths(self, cls: Class, text: str, depth: int, guards: tuple[str, ...] = ()) -> list[Path]:
        """What may be read of a record of a class, or of the kinds that it may be of."""
        return list(paths(cls, text, depth, guards, [each for each in self.classes if each.base is not None]))

    def weighed(self, found: Iterable[Path]) -> tuple[list[Path], list[Path]]:
        """What may be read, what is derived several times, so that rules stand on one another; and that."""
        every = [*found, *self.global_paths() * 2]
        derived = [each for each in every if each.text.rsplit(".", 1)[1].startswith(DERIVED)]
        return every + derived * 3, derived

    def condition(self, found: Sequence[Path], depth: int = 1) -> str:
        """A condition over what may be read."""
        if depth and self.chance(30):
            word = self.pick(["and", "or"])
            return f"({self.condition(found, 0)}) {word} ({self.condition(found, 0)})"
        path = self.pick(found)
        if isinstance(path.kind, Class):
            same = [each for each in found if each.kind is path.kind and each is not path and not each.guards]
            if path.nullable and not (same and self.chance(30)):
                return path.guarded(f"{path.text} is {self.pick(['not ', ''])}None")
            if same:
                return path.guarded(f"{path.text} {self.pick(['==', '!='])} {self.pick(same).text}")
            plain = [each for each in found if isinstance(each.kind, str)]
            return self.condition(plain, 0)
        test = self.pick(TESTS[path.kind]).format(path.text)
        if path.nullable:
            if self.chance(20):
                return path.guarded(f"{path.text} is None")
            path = attrs.evolve(path, guards=(*path.guards, f"{path.text} is not None"))
        return path.guarded(test, "or" if path.guards and self.chance(20) else "and")

    def number(self, kind: str, found: Sequence[Path], nullable: bool) -> str | None:
        """A number of the kind, None where it may be; None where there is nothing of that kind."""
        fitting = [each for each in found if each.kind == kind]
        if not fitting:
            return None
        path = self.pick(fitting)
        otherwise = "None" if nullable and self.chance(60) else ZERO[kind]
        guards = (*path.guards, f"{path.text} is not None") if path.nullable else path.guards
        if path.nullable and not path.guards and otherwise == "None":
            return path.text
        text = path.text
        if self.chance(25):
            text = self.pick([f"{text} + {LITERALS[kind][1]}", f"-{text}", f"{text} * 2", f"abs({text})"])
            if kind == "float":
                text = text.replace("* 2", "* 2.0")
        if not guards:
            return text
        return f"{text} if {' and '.join(guards)} else {otherwise}"

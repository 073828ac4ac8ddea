"""Drawing views: some of the records of a class, in collections, counted, watched, and read by what follows."""

from __future__ import annotations

from tests.oracle.drawing.kinds import Kinds
from tests.oracle.drawing.text import Class

__all__ = ["Views"]


class Views(Kinds):
    def make_view(self) -> None:
        """A view of a class or of another view, and perhaps a collection of it beside each of that."""
        of = self.pick([*(each for each in self.classes if each.born), *self.views * 2])
        found, _ = self.weighed(self.paths(of, "x", 2))
        decorator = f"@iq.view({of.name}, where=lambda x: {self.condition(found)})"
        view = Class(
            self.name("V"), "view", decorator, uuid=of.uuid, of=of, base=of.base, watched=self.chance(60),
            fields=of.fields, refs=of.refs, colls=of.colls, mirrors=of.mirrors,
        )  # fmt: skip
        self.views.append(view)
        self.narrow(view, of)

"""Random models: Hypothesis draws the source text of decorated classes, as a user would write them.

Text, so that a failure shows a model which can be read, and pasted into a test. Classes are drawn
in layers: a derived value reads only what was declared before it, so there are no cycles.
"""

from __future__ import annotations

import linecache
import sys
from types import ModuleType

from hypothesis import strategies as st

from tests.oracle.drawing.customs import Customs
from tests.oracle.drawing.interactions import Interactions
from tests.oracle.drawing.text import Interaction, Ref, Schema
from tests.oracle.drawing.views import Views

__all__ = ["load", "schemas"]

MODULE = "oracle_model"


def load(source: str) -> ModuleType:
    """The source as a module, its lines known to tracebacks and error messages."""
    module = ModuleType(MODULE)
    file = f"<{MODULE}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    sys.modules[MODULE] = module
    exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)
    return module


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    """Any model that the framework should take."""
    return _Drawing(draw).schema()


class _Drawing(Views, Customs, Interactions):
    def schema(self) -> Schema:
        for index in range(self.pick([2, 1, 2, 3, 3, 4, 5])):
            self.make_class(index)
        for index in range(self.pick([0, 0, 0, 1, 1, 2])):
            self.make_kind(index)
        for name in self.pick([[], [], ["Totals"], ["Totals", "Settings"]]):
            self.make_dictionary(name)
        for _ in range(self.draw(st.integers(2, 12))):
            self.add_rule()
        for each in [each for each in self.classes if not each.born]:
            if self.chance(50):
                self.derive(each)
        for each in self.classes:
            each.born = True
        for index in range(self.draw(st.integers(0, 4))):
            self.make_interaction(index)
        self.tell_of_changes()
        # A transform names its source, so what is derived comes after what it is derived from.
        classes = sorted(self.classes, key=lambda each: each.derived)
        return Schema(classes, self.interactions, self.dictionaries, self.views)

    def add_rule(self) -> None:
        unborn = [each for each in self.classes if not each.born]
        rules = ["aggregate", "aggregate", "aggregate", "derive", "derive", "computed", "through", "timed", "view"]
        rules += ["custom", "custom"]
        match self.pick(rules):
            case "derive" if unborn:
                self.derive(self.pick(unborn))
            case "computed":
                self.computed()
            case "custom":
                self.custom()
            case "timed":
                self.timed()
            case "view":
                self.make_view()
            case "through":
                self.through()
            case _:
                self.aggregate()

    def tell_of_changes(self) -> None:
        """Each attribute of which something tells is changed by an interaction, and others are told of, too."""
        for cls in (*self.classes, *self.dictionaries):
            for field in [each for each in cls.fields if each.machine and not each.changes]:
                told = [each.value or "" for each in cls.fields] + [each.stamp or "" for each in cls.refs]
                if any(f"({field.name}" in each and "iq.change" in each for each in told):
                    act = Interaction(f"Act{len(self.interactions)}")
                    self.interactions.append(act)
                    field.changes.append(
                        f'iq.on({act.name}, {{"draft": "live", "live": "draft"}}{self.where(act, cls)})'
                    )
            for each in [each for each in (*cls.fields, *cls.refs) if each.changes and not getattr(each, "machine", 0)]:
                if self.chance(40):
                    ways = ["", ", to=None", ", leaving=None"] if isinstance(each, Ref) and each.nullable else [""]
                    self.stamp(cls, each.name, self.pick(ways), late=True)

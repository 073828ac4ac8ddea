"""Drawing interactions: what is asked for, and what it makes, changes and ends."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.oracle.drawing.derivations import Derivations
from tests.oracle.drawing.paths import Path
from tests.oracle.drawing.text import Class, Field, Interaction, Ref

__all__ = ["Interactions"]


class Interactions(Derivations):
    def make_interaction(self, index: int) -> None:
        act = Interaction(f"Act{index}")
        self.interactions.append(act)
        for _ in range(self.draw(st.integers(1, 3))):
            effect = self.pick(["move", "set", "refer", "create", "create", "end"])
            getattr(self, f"effect_{effect}")(act)
        if self.chance(30):
            found = self.readable(act)
            if found:
                act.guard = self.condition(found)

    def item(self, act: Interaction, kind: str | Class, optional: bool = False, many: bool = False) -> str:
        """A payload item of the kind: one that is there, or a new one."""
        parts = [each for each in (*self.classes, *self.views) if each is not kind and each.is_a(kind)]
        if parts and self.chance(25):
            kind = self.pick(parts)
        fitting = [each[0] for each in act.items if each[1:] == (kind, optional, many)]
        if fitting and self.chance(60):
            return f"e.payload.{self.pick(fitting)}"
        name = self.name("item")
        act.items.append((name, kind, optional, many))
        return f"e.payload.{name}"

    def readable(self, act: Interaction) -> list[Path]:
        found = self.global_paths()
        for name, kind, optional, many in act.items:
            text = f"e.payload.{name}"
            if many:
                continue
            if isinstance(kind, str):
                found.append(Path(text, (), kind, optional))
            else:
                found += self.paths(kind, text, 1, (text,) if optional else ())
        return found

    def where(self, act: Interaction, cls: Class) -> str:
        """``record=`` of a change: one, one that may be missing, several that are given, or found by a way."""
        if cls.is_dictionary:
            return ""
        ways = ["one", "one", "optional", "many"]
        holders = [(owner, coll) for owner in self.classes for coll in owner.colls if coll.element.is_a(cls)]
        ways += ["found"] if holders else []
        match self.pick(ways):
            case "one":
                return f", record=lambda e: {self.item(act, cls)}"
            case "optional":
                return f", record=lambda e: {self.item(act, cls, optional=True)}"
            case "many":
                return f", record=lambda e: {self.item(act, cls, many=True)}"
            case _:
                owner, coll = self.pick(holders)
                return f", record=lambda e: list({self.item(act, owner)}.{coll.name})"

    def effect_move(self, act: Interaction) -> None:
        options = [
            (cls, field)
            for cls in (*self.classes, *self.dictionaries)
            for field in cls.fields
            if field.machine and self.may_change_again(cls, field, act)
        ]
        if options:
            cls, field = self.pick(options)
            moves = self.pick(['"draft": "live"', '"draft": "live", "live": "gone"', '"live": "draft", "gone": "live"'])
            where = self.where(act, cls)
            if self.chance(35) and not cls.is_dictionary:
                moves = '"draft": "live", "live": iq.DELETED'
            elif self.chance(25):
                test = self.condition([*self.paths(cls, "x", 1), *self.readable(act)])
                state = self.pick([each for each in ("draft", "live", "gone") if f'"{each}":' not in moves])
                moves += f', "{state}": lambda e, x: "live" if {test} else "draft"'
            strict = ", strict=True" if self.chance(35) else ""
            field.changes.append(f"iq.on({act.name}, {{{moves}}}{where}{strict})")

    def may_change_again(self, cls: Class, attribute: Field | Ref, act: Interaction) -> bool:
        """Two changes of an attribute by one interaction are rare: they must agree. Of a dictionary there are none."""
        once = any(f"iq.on({act.name}," in each for each in attribute.changes)
        return not once or (not cls.is_dictionary and self.chance(25))

    def effect_set(self, act: Interaction) -> None:
        options = [
            (cls, field)
            for cls in (*self.classes, *self.dictionaries)
            for field in cls.fields
            if field.settable and not field.counts and self.may_change_again(cls, field, act)
        ]
        if options:
            cls, field = self.pick(options)
            where = self.where(act, cls)
            arguments = "e"
            if self.chance(60):
                value = self.item(act, field.kind, field.nullable and self.chance(50))
            else:
                known = [each for each in self.readable(act) if not each.guards]
                if self.chance(50):
                    arguments = "e, x"
                    known += [each for each in self.paths(cls, "x", 1) if not each.guards]
                value = self.value(field, known, event=True)
            field.changes.append(f"iq.on({act.name}{where}, set=lambda {arguments}: {value})")

    def effect_refer(self, act: Interaction) -> None:
        options = [
            (cls, ref)
            for cls in (*self.classes, *self.dictionaries)
            for ref in cls.refs
            if ref.stamp is None and not ref.counts and self.may_change_again(cls, ref, act)
        ]
        if options:
            cls, ref = self.pick(options)
            value = self.item(act, ref.target, ref.nullable and self.chance(60))
            ref.changes.append(f"iq.on({act.name}{self.where(act, cls)}, set=lambda e: {value})")

    def effect_create(self, act: Interaction) -> None:
        cls = self.pick(self.classes)
        if cls.is_numbered and any(f"iq.Transform({act.name}," in each for each in cls.rules):
            # Of many at once, what one rule makes is numbered before what another one makes.
            return
        made = self.created(act, cls)
        shape = self.pick(["one", "one", "if", "two"])
        second = self.created(act, cls) if shape == "two" else made
        found = self.readable(act)
        text = made
        if shape == "two":
            text = f"[{made}, {second}]"
        elif shape == "if" and found:
            text = f"{made} if {self.condition(found)} else None"
        cls.rules.append(f"    {self.name('done')} = iq.Transform({act.name}, lambda e: {text})")

    def created(self, act: Interaction, cls: Class) -> str:
        cls = self.one_of(cls)
        for ref in cls.every_ref:
            if ref.stamp is None and (not ref.nullable or self.chance(40)):
                self.item(act, ref.target)
        if self.chance(60):
            for field in cls.every_field:
                if field.settable and field.default is None and self.chance(50):
                    self.item(act, field.kind, field.nullable)
        roots = [
            Path(f"e.payload.{name}", (), kind.home, optional) for name, kind, optional, many in act.items
            if isinstance(kind, Class) and not many
        ]  # fmt: skip
        return self.construction(cls, self.readable(act), roots, event=True, nested=True)

    def effect_end(self, act: Interaction) -> None:
        cls = self.pick(self.classes)
        if self.chance(50):
            test = f"self == {self.item(act, cls)}"
        else:
            found = [*self.paths(cls, "self", 1)]
            test = self.condition([*found, *self.global_paths()])
            mine = [each for each in found if isinstance(each.kind, Class) and not each.guards]
            if mine:
                path = self.pick(mine)
                assert isinstance(path.kind, Class)
                test = f"{path.text} == {self.item(act, path.kind)} and ({test})"
        annotated = f"def {self.name('ended')}(self, e: Event[{act.name}]) -> bool"
        cls.rules.append(f"\n    @iq.deleted_by({act.name})\n    {annotated}:\n        return {test}\n")

"""Resolving what connects a record to others: a relation's ends, mirrors and collections."""

from __future__ import annotations

import typing
from typing import Any

import attrs

from interaqt.core.class_body import AttributeDeclaration
from interaqt.core.constraints import other_than_itself
from interaqt.core.errors import (
    InvalidEntity,
    did_you_mean,
)
from interaqt.core.fields import ComputedSpec, ManySpec, OneSpec
from interaqt.core.hints import shown
from interaqt.core.many import Many
from interaqt.core.model import (
    Attribute,
    Collection,
    ComputedProperty,
    Mirror,
    Property,
    RecordModel,
    Reference,
)
from interaqt.core.resolver import Resolver, part_of
from interaqt.core.types import split_optional

__all__ = ["Connections"]


@attrs.frozen
class Connections(Resolver):
    """The second pass, over what the first has found of all records."""

    def resolve(self) -> None:
        """In the order of declaration with the rest."""
        known = self.record.attributes
        found = dict(self.inherited)
        found |= {each.name: known.get(each.name) or self._connected(each) for each in self.declaration.own}
        known.clear()
        known.update(found)
        for group in self.declaration.unique:
            for name in group:
                self._expect(name, Property | Reference, group)
        if self.declaration.part is None:
            self.record.root.unique = self.declaration.unique
        if self.record.kind == "relation":
            self._ends()

    def _connected(self, each: AttributeDeclaration) -> Attribute:
        spec = each.spec
        if isinstance(spec, ComputedSpec):
            return ComputedProperty(
                record=self.record.root,
                owner=self.record,
                name=each.name,
                location=each.location,
                type=self._value_type(each),
                function=spec.function,
            )
        annotation, nullable = split_optional(self._annotation(each))
        if isinstance(spec, OneSpec):
            return self._mirror(each, spec, annotation, nullable)
        assert isinstance(spec, ManySpec)
        args = typing.get_args(annotation)
        if typing.get_origin(annotation) is not Many or not args or nullable:
            inner = getattr(args[0], "__name__", "Other") if args else "Other"
            raise self._error(
                each,
                f"iq.many() is a collection, but the type is {shown(self._annotation(each))}",
                "many",
                f"write {each.name}: Many[{inner}] = iq.many(...)",
            )
        target = self.names.record_of(args[0], self._subject(each), each.location)
        return self._through(each, spec, target) if spec.through else self._inverse(each, spec, target)

    def _mirror(self, each: AttributeDeclaration, spec: OneSpec, annotation: type, nullable: bool) -> Mirror:
        target = self.names.record_of(annotation, self._subject(each), each.location)
        assert spec.inverse is not None
        via = self._back(each, spec.inverse, target)
        if not nullable:
            raise self._error(
                each, "there may be none on the other side", "mirror", f"write {each.name}: {target} | None"
            )
        via.unique = True
        return Mirror(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            type=target.type.optional(),
            target=target,
            via=via,
        )

    def _inverse(self, each: AttributeDeclaration, spec: ManySpec, target: RecordModel) -> Collection:
        if not isinstance(spec.inverse, str):
            return self._either(each, spec, target)
        via = self._back(each, spec.inverse, target)
        if self.names.declaration_of(target.made_as).symmetric and via in list(target.references())[:2]:
            ends = tuple(end.name for end in list(target.references())[:2])
            raise self._error(
                each,
                f"{target} is symmetric, so its records are found from both ends, not from {via.name} alone",
                "inverse",
                f"write {each.name}: Many[{target}] = iq.many(inverse={_quoted(ends)})",
            )
        return Collection(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            link=target.root,
            via=via,
            part=part_of(target),
        )

    def _either(self, each: AttributeDeclaration, spec: ManySpec, target: RecordModel) -> Collection:
        first, second = (self._back(each, name, target) for name in spec.inverse or ())
        sides = self.names.sides(first, second, each.location)
        return Collection(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            link=sides.record,
            via=sides.near,
            far=sides.link,
            part=part_of(target),
        )

    def _back(self, each: AttributeDeclaration, name: str, target: RecordModel) -> Reference:
        """The reference ``target.name``, which must name this record."""
        via = target.attributes.get(name)
        if not isinstance(via, Reference) or not self.record.is_a(via.target):
            candidates = [ref.name for ref in target.references() if self.record.is_a(ref.target)]
            raise self._error(
                each,
                f"{target} has no reference {name!r} to {self.record}. {did_you_mean(name, candidates)}",
                "inverse",
                "" if candidates else f"declare it in {target}: {name}: {self.record}",
            )
        return via

    def _through(self, each: AttributeDeclaration, spec: ManySpec, target: RecordModel) -> Collection:
        name = spec.through or ""
        inner = self.declaration.attributes.get(name)
        if inner is None or not isinstance(inner.spec, ManySpec) or inner.spec.through:
            known = [
                other.name
                for other in self.declaration.attributes.values()
                if isinstance(other.spec, ManySpec) and not other.spec.through
            ]
            raise self._error(
                each, f"{self.record} has no collection {name!r} to go through. {did_you_mean(name, known)}", "through"
            )
        found = self.record.attributes.get(name) or self._connected(inner)
        assert isinstance(found, Collection)
        # Of sides or of what is declared, not of the table of several kinds, which has no attributes yet.
        link = found.link if found.far is not None else found.target
        onward = [
            ref
            for ref in link.references()
            if (target.is_a(ref.target) or ref.target.is_a(target)) and ref is not found.via and ref is not found.far
        ]
        if len(onward) != 1:
            raise self._error(
                each,
                f"{link} has {len(onward) or 'no'} reference{'s' * (len(onward) > 1)} to {target} to go on by",
                "through",
                f"{name} leads to {link}, whose other references are: "
                + (
                    ", ".join(f"{ref.name} ({ref.target})" for ref in link.references() if ref is not found.via)
                    or "none"
                ),
            )
        return Collection(
            record=self.record.root,
            owner=self.record,
            name=each.name,
            location=each.location,
            link=found.link,
            via=found.via,
            far=onward[0],
            part=part_of(target),
        )

    def _ends(self) -> None:
        if self.declaration.part is not None:
            assert self.record.part_of is not None
            self.record.ends = self.record.part_of.ends
            return
        ends = tuple(self.record.references())[:2]
        nullable = next((end for end in ends if end.type.nullable), None)
        if nullable is not None:
            raise InvalidEntity(
                f"{nullable.name} is an end of the relation, which is never None",
                code="relation.ends",
                subject=str(nullable),
                location=nullable.location,
                hint=f"write {nullable.name}: {nullable.target}, or declare {self.record} with @iq.entity",
            )
        if len(ends) < 2:
            raise InvalidEntity(
                f"a relation has two ends, which are its first two references; {self.record} has {len(ends) or 'none'}",
                code="relation.ends",
                subject=self.record.name,
                location=self.record.location,
                hint=f"add the other one, such as user: User, or declare {self.record} with @iq.entity",
            )
        self.record.ends = ends
        if not self.declaration.repeatable:
            table = self.record.root
            table.unique = (*table.unique, tuple(end.name for end in ends))
        if self.declaration.symmetric:
            self._symmetric(*ends)

    def _symmetric(self, first: Reference, second: Reference) -> None:
        if first.target is not second.target:
            raise InvalidEntity(
                f"the ends of a symmetric relation are of one kind; {first.name} is a {first.target}, "
                f"{second.name} a {second.target}",
                code="relation.symmetric",
                subject=self.record.name,
                location=self.record.location,
                hint="leave symmetric=True out",
            )
        if {first.name, second.name} & {*self.declaration.rules.identity}:
            raise InvalidEntity(
                "a symmetric relation is not known by its ends, of which either may be named first",
                code="relation.symmetric_identity",
                subject=self.record.name,
                location=self.record.location,
                hint="leave identity= out: a pair is linked once in any case, and linking it again is refused",
            )
        sides = self.names.sides(first, second, self.record.location)
        if not self.declaration.repeatable:
            # Named the other way round, the pair has the same two sides.
            sides.record.unique = (*sides.record.unique, (sides.near.name, sides.far.name))
        if not self.declaration.self_pairs:
            self.record.root.constraints.append(other_than_itself(first, second))

    def _expect(self, name: str, kind: Any, group: tuple[str, ...]) -> None:
        if not isinstance(self.record.attributes.get(name), kind):
            stored = [each.name for each in self.record.stored()]
            raise InvalidEntity(
                f"unique={group!r} names {name!r}, which is not stored. {did_you_mean(name, stored)}",
                code="entity.unique",
                subject=self.record.name,
                location=self.record.location,
            )


def _quoted(names: tuple[str, ...]) -> str:
    return "(" + ", ".join(f'"{name}"' for name in names) + ")"

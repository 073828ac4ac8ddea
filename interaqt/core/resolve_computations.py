"""Resolving what keeps a record: computations, changes, transforms, deletions and its rules."""

from __future__ import annotations

import attrs

from interaqt.core.computations.aggregation import Aggregation, Target
from interaqt.core.computations.change import require_one_outcome, resolve_change
from interaqt.core.computations.custom import OwnCustomSpec
from interaqt.core.computations.deletion import resolve_ending
from interaqt.core.computations.own import resolve_stored
from interaqt.core.computations.real_time import RealTimeSpec, resolve_real_time
from interaqt.core.computations.sequence import SequenceSpec, require_kept_scopes, resolve_sequence
from interaqt.core.computations.stamps import StampSpec, resolve_stamp
from interaqt.core.computations.state_machine import StateMachineSpec, warn_of_unreachable_states
from interaqt.core.computations.transform import resolve_transform
from interaqt.core.constraints import unique_in
from interaqt.core.errors import (
    InvalidComputation,
    did_you_mean,
)
from interaqt.core.expressions import Root
from interaqt.core.fields import ComputedSpec, ManySpec
from interaqt.core.identity import Identity
from interaqt.core.model import (
    Attribute,
    Collection,
    ComputedProperty,
    Model,
    Property,
    Reference,
    Whole,
)
from interaqt.core.parts import where_of
from interaqt.core.record_rules import resolve_rules
from interaqt.core.resolver import Resolver, part_of
from interaqt.core.tracing import trace_value

__all__ = ["Computations"]


SELF = "self"


@attrs.frozen
class Computations(Resolver):
    """The third pass, over all that the model has."""

    def resolve(self, model: Model) -> None:
        table = self.record.root
        for each in self.declaration.own:
            attribute = self.record.attributes[each.name]
            if isinstance(each.spec, Aggregation):
                self._aggregation(each.spec, attribute)
            elif isinstance(each.spec, OwnCustomSpec) and isinstance(attribute, Property):
                table.rules.append(each.spec.resolve(self._kept(attribute)))
            elif isinstance(attribute, ComputedProperty):
                self._computed(attribute)
            elif isinstance(each.spec, ComputedSpec) and isinstance(attribute, Property):
                table.rules.append(resolve_stored(self._kept(attribute), each.spec))
            elif isinstance(each.spec, RealTimeSpec) and isinstance(attribute, Property):
                table.rules.append(resolve_real_time(self._kept(attribute), each.spec))
            elif isinstance(each.spec, SequenceSpec) and isinstance(attribute, Property):
                kept = self._kept(attribute)
                table.sequences.append(resolve_sequence(self.record, self.declaration, kept, each.spec))
            elif isinstance(attribute, Property | Reference) and attribute.changes:
                self._changes(model, attribute)
        for each in self.declaration.own:
            attribute = self.record.attributes[each.name]
            if isinstance(each.spec, StampSpec) and isinstance(attribute, Property | Reference):
                table.stamps.append(resolve_stamp(model, self.record, self.declaration, attribute, each.spec))
        for transform in self.declaration.transforms:
            resolve_transform(model, self.record, transform)
        for deletion in self.declaration.deletions:
            table.endings.append(resolve_ending(model, self.record, deletion))
        if self.declaration.part is not None:
            table.constraints += [unique_in(self.record, group) for group in self.declaration.unique]
        resolve_rules(model, self.record, self.declaration.rules)
        require_kept_scopes(self.record)
        if self.record.is_dictionary:
            self.record.identity = Identity((self.record.key,), "keep")

    def _changes(self, model: Model, attribute: Property | Reference) -> None:
        found = [resolve_change(model, attribute, each) for each in attribute.changes]
        require_one_outcome(found)
        if isinstance(attribute, Property) and isinstance(attribute.computation, StateMachineSpec):
            warn_of_unreachable_states(attribute, attribute.computation.initial, found)
        self.record.root.changes += found

    def _kept(self, attribute: Property) -> Property:
        """A derived property as the table has it, where there may be rows of other kinds."""
        found = self.record.root.attributes[attribute.name]
        assert isinstance(found, Property)
        return found

    def _aggregation(self, spec: Aggregation, attribute: Attribute) -> None:
        assert isinstance(attribute, Property)
        if isinstance(spec.over, ManySpec):
            collection = self._own_collection(spec, spec.over, attribute)
        else:
            collection = self._whole(spec, spec.over, attribute)
        rule = spec.resolve(Target(self._kept(attribute), collection, str(spec)))
        self.record.root.rules.append(rule)
        if rule.index is not None and rule.index not in collection.link.indexes:
            collection.link.indexes.append(rule.index)

    def _own_collection(self, spec: Aggregation, over: ManySpec, attribute: Property) -> Collection:
        collection = self.record.attributes.get(over.name)
        declared = self.declaration.attributes.get(over.name)
        if not isinstance(collection, Collection) or declared is None or declared.spec is not over:
            known = [each.name for each in self.record.collections()]
            raise InvalidComputation(
                f"{spec.name_of} runs over a collection of its own class. {did_you_mean(over.name, known)}",
                code=f"{spec.name_of.lower()}.over",
                subject=f"{attribute}: {spec}",
                location=spec.location,
                hint=f"declare one in {self.record}, above: likes: Many[Like] = iq.many(inverse=...)",
            )
        return collection

    def _whole(self, spec: Aggregation, over: type, attribute: Property) -> Collection:
        """All records of a class, for a value of a dictionary."""
        link = self.names.record_of(over, f"{attribute}: {spec}", spec.location)
        via = link.root.constant(self.record.cls)
        assert via is not None, f"{self.record} is a dictionary, to which every record leads"
        whole = Whole(
            record=self.record.root,
            owner=self.record,
            name=link.name,
            location=spec.location,
            link=link.root,
            via=via,
            part=part_of(link),
        )
        whole.where = where_of(whole, None)
        return whole

    def _computed(self, attribute: ComputedProperty) -> None:
        """Traced where nothing uses it, too, so that a mistake in it is found when a controller is made."""
        trace_value(
            attribute.function,
            [Root(SELF, self.record)],
            attribute.type,
            subject=f"{attribute}: computed",
            location=attribute.location,
            allow_collections=True,
        )

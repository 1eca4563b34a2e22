"""One batch of materials compared with the store and within itself.

A material is compared with those kept before it, in the order of their identifiers, and joins the first that is
the same; so the outcome does not depend on where batches end or how fast workers are. Comparisons that do not
wait for each other run side by side.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from hstore.crystal import Crystal
from hstore.records import Access
from hstore_models.invariants import Fingerprint
from hstore_workflows.sameness import Block, Label, Sketch, crystal_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping, Sequence

    from hstore.records import Material, Scope
    from hstore.store import Store
    from hstore.store.queries import Identity
    from hstore.workers import Crew
    from hstore_workflows.sameness import Answer, Task

Place: TypeAlias = tuple[str, Access]
"""Composition and owner, within which materials are compared."""


@dataclass
class _Open:
    """A material that is not decided yet."""

    material_id: str
    structureless: bool
    candidates: deque[str]
    """What it may be the same as and has not been compared with, in the order of comparison."""


class Comparison:
    """Finds out which materials of a batch are the same as others."""

    def __init__(
        self, store: Store, scope: Scope, crew: Crew[Task, Answer], blocks: MutableMapping[Place, Block]
    ) -> None:
        """Take what to compare with.

        Args:
            store: what was kept before.
            scope: in whose name the store is read.
            crew: workers doing :func:`hstore_workflows.sameness.work`.
            blocks: what is remembered of materials kept before; made where missing, and brought up to date.
        """
        self.merged: dict[str, str] = {}
        """What was found to be the same, by identifier, as which kept record."""
        self.notes: dict[str, list[str]] = defaultdict(list)
        """What could not be compared, by identifier."""
        self._store = store
        self._scope = scope
        self._crew = crew
        self._blocks = blocks
        self._crystals: dict[str, Crystal] = {}

    def run(self, batch: Sequence[Material], stored: Collection[str]) -> None:
        """Compare; the result is in :attr:`merged` and :attr:`notes`.

        Args:
            batch: distinct materials, in the order of their arrival.
            stored: identifiers among them that the store keeps already, and goes on keeping.
        """
        places = {material.material_id: _place(material) for material in batch}
        kept = self._kept_in(set(places.values()))
        for place, names in kept.items():
            if block := self._blocks.get(place):
                block.drop([name for name in block if name not in names or name in places])
        crowd = {place: set(names) for place, names in kept.items()}
        for name, place in places.items():
            crowd[place].add(name)
        undecided = [name for name, place in places.items() if name not in stored and len(crowd[place]) > 1]
        active = {places[name] for name in undecided}
        self._sketch(batch, {place: kept[place] - places.keys() for place in active})
        self._settle(self._opened(undecided, places, stored))
        for name in self.merged:
            self._blocks[places[name]].drop([name])
        for place in active:
            self._blocks[place].rest()

    def _kept_in(self, places: Collection[Place]) -> dict[Place, set[str]]:
        """Return what the store keeps of each composition and owner."""
        kept: dict[Place, set[str]] = {place: set() for place in places}
        compositions = {composition for composition, _ in places}
        for found in self._store.identities(scope=self._scope, compositions=compositions):
            if (place := _place(found)) in kept:
                kept[place].add(found.material_id)
        return kept

    def _sketch(self, batch: Sequence[Material], wanted: Mapping[Place, set[str]]) -> None:
        """Remember what the batch and the store hold in some places; crystals of the batch are kept."""
        waiting: deque[tuple[Block, str]] = deque()
        blocks = {place: self._blocks.setdefault(place, Block()) for place in wanted}
        missing = [name for place, names in wanted.items() for name in names - set(blocks[place])]
        ours = {material.material_id for material in batch}

        def crystals() -> Iterator[Crystal]:
            for material in chain(batch, self._store.materials_of(missing, scope=self._scope)):
                block = blocks.get(_place(material))
                if block is None:
                    continue
                name = material.material_id
                if material.structure is None:
                    block.put(Sketch(name, label=Label.of(material)))
                    continue
                crystal = crystal_of(material)
                if isinstance(crystal, str):
                    block.put(Sketch(name, note=crystal))
                    continue
                if name in ours:
                    self._crystals[name] = crystal
                waiting.append((block, name))
                yield crystal

        for outcome in self._crew.map(crystals()):
            block, name = waiting.popleft()
            value = outcome.value
            block.put(
                Sketch.of(name, value) if isinstance(value, Fingerprint) else Sketch(name, note=outcome.cause)
            )

    def _opened(
        self, undecided: Sequence[str], places: Mapping[str, Place], stored: Collection[str]
    ) -> Iterator[_Open]:
        """Yield what is to be decided, each with what arrived before it and looks alike."""
        former = self._store.kept_ids(undecided, scope=self._scope)
        order = {name: index for index, name in enumerate(places)}
        for name in undecided:
            block = self._blocks[places[name]]
            sketch = block[name]
            if sketch.note:
                self.notes[name].append(f"not compared with others: {sketch.note}")
            earlier = [
                other
                for other in block.look_alikes(sketch)
                if other in stored or order.get(other, -1) < order[name]
            ]
            earlier.sort(key=lambda other: (other != former.get(name), other))
            yield _Open(name, sketch.label is not None, deque(earlier))

    def _settle(self, opened: Iterable[_Open]) -> None:
        """Decide on all, in rounds: each round compares every one with the next it may be the same as."""
        waiting = list(opened)
        while waiting:
            undecided: set[str] = set()
            pairs: list[tuple[_Open, str]] = []
            left: list[_Open] = []
            for item in waiting:
                while item.candidates and item.candidates[0] in self.merged:
                    item.candidates.popleft()
                if not item.candidates:
                    continue  # nothing is the same: it is kept
                if item.structureless:
                    self.merged[item.material_id] = item.candidates[0]
                    continue
                undecided.add(item.material_id)
                left.append(item)
                if item.candidates[0] not in undecided:
                    pairs.append((item, item.candidates[0]))
            self._compare(pairs)
            waiting = [item for item in left if item.material_id not in self.merged]

    def _compare(self, pairs: Sequence[tuple[_Open, str]]) -> None:
        missing = {other for _, other in pairs} - self._crystals.keys()
        for material in self._store.materials_of(missing, scope=self._scope):
            if isinstance(crystal := crystal_of(material), Crystal):
                self._crystals[material.material_id] = crystal
        tasks = [(self._crystals[item.material_id], self._crystals[other]) for item, other in pairs]
        for (item, other), outcome in zip(pairs, self._crew.map(tasks), strict=True):
            if outcome.value is True:
                self.merged[item.material_id] = other
                continue
            item.candidates.popleft()
            if outcome.cause:
                self.notes[item.material_id].append(f"not compared with {other}, both kept: {outcome.cause}")


def _place(material: Material | Identity) -> Place:
    return material.composition, _shared(material.access)


@cache
def _shared(access: Access) -> Access:
    """Return one object for all equal ones: there are few, and each record comes with its own."""
    return access

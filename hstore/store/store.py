"""The result store: records in, records out, every read in somebody's name."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Self, TypeVar

from sqlalchemy import and_, or_, select

from hstore.errors import InputError, StoreError
from hstore.store import writing
from hstore.store.database import Database
from hstore.store.engine import make_engine, store_errors
from hstore.store.idempotency import Idempotency
from hstore.store.isotherms import Isotherms
from hstore.store.jobs import Jobs
from hstore.store.keys import Audit, Keys
from hstore.store.measured import Measured
from hstore.store.merging import put_merges
from hstore.store.migration import current_revision, upgrade
from hstore.store.optimade.entries import OptimadeEntries
from hstore.store.queries import (
    Identity,
    MaterialFilter,
    count_of,
    identities,
    in_pieces,
    select_kept,
    select_materials,
    select_measurements,
    visible,
)
from hstore.store.rows import material_record, measurement_record, prediction_record, screen_record
from hstore.store.schema import (
    Base,
    MaterialRow,
    MeasurementRow,
    MergedMaterialRow,
    PredictionRow,
    ScreenRow,
)
from hstore.store.search import Search

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from sqlalchemy import Connection, Engine

    from hstore.records import Family, Material, Measurement, Prediction, Scope, Screen

Row = TypeVar("Row", bound=Base)
Record = TypeVar("Record")

CHUNK_ROWS = 1000
"""Records written in one transaction."""


def open_store(url: str) -> Store:
    """Open the store at a URL; a new one is made, an older one is upgraded.

    Args:
        url: ``sqlite:///FILE`` (its folder is made when missing) or ``postgresql+psycopg://USER@HOST/DATABASE``.

    Raises:
        StoreError: the URL is of another kind, the database cannot be reached, or a newer hstore wrote it.
        MissingExtraError: PostgreSQL was asked for and psycopg is not installed.
    """
    engine = make_engine(url)
    try:
        with store_errors(engine, "open"):
            upgrade(engine)
    except BaseException:  # whatever stopped it, the connections are given back
        engine.dispose()
        raise
    return Store(engine)


class Store:
    """Materials, measurements, predictions and screens in one database.

    Made by :func:`open_store`. Threads may share it; processes open their own. Reads stream in pages and need
    a scope; what a scope may not see is as if it were not there.
    """

    def __init__(self, engine: Engine) -> None:
        self.database = Database(engine)
        self.keys = Keys(self.database)
        self.audit = Audit(self.database)
        self.search = Search(self.database)
        self.idempotency = Idempotency(self.database)
        self.measured = Measured(self.database)
        self.isotherms = Isotherms(self.database)
        self.jobs = Jobs(self.database)
        self.optimade = OptimadeEntries(self.database)

    def __enter__(self) -> Self:
        """Return the store, to be closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Give back all connections."""
        self.database.engine.dispose()

    def ping(self) -> None:
        """Ask the database for its schema version.

        Raises:
            StoreError: there is no answer.
        """
        self.schema_version()

    def schema_version(self) -> str:
        """Return the revision of the schema.

        Raises:
            StoreError: there is no answer, or the tables are gone.
        """
        with store_errors(self.database.engine, "read"), self.database.engine.connect() as connection:
            found = current_revision(connection)
        if found is None:
            raise StoreError("the store has lost its tables; open it again with open_store")
        return found

    def add_materials(self, materials: Iterable[Material], *, chunk_size: int = CHUNK_ROWS) -> int:
        """Write materials, replacing those of the same ``material_id`` and owner.

        Records that were merged into the one replaced stay merged; see :meth:`merge_materials`.

        Args:
            materials: any number; they are taken and written chunk by chunk.
            chunk_size: materials in one transaction. Chunks written before an error stay.

        Returns:
            Number of materials written, repeats included.

        Raises:
            StoreError: an identifier belongs to another owner, or the database refuses a value.
        """
        return self._write_chunks(materials, chunk_size, writing.put_materials)

    def material(self, material_id: str, *, scope: Scope) -> Material | None:
        """Return the material, or None where the scope sees none.

        The identifier of a merged record finds the record it was merged into.
        """
        own = select_materials(scope, MaterialFilter()).where(MaterialRow.material_id == material_id)
        for statement in (own, select_kept(scope, material_id)):
            for material in self.database.read(statement, [MaterialRow.material_id], material_record, limit=1):
                return material
        return None

    def merge_materials(self, merges: Mapping[str, Sequence[Material]]) -> int:
        """Merge materials into stored ones of the same owner and visibility, all or none.

        The stored record keeps what it says, gains the provenance of each, and what it lacked of their
        descriptors (:meth:`Material.merged_with`). A material merged before, into whichever record, is moved.

        Args:
            merges: what to merge, by the identifier of the stored record.

        Returns:
            Number of materials merged.

        Raises:
            StoreError: a stored record is missing or has another owner or visibility, or what is to be merged
                is stored under its own identifier.
        """
        if merges:
            with self.database.writing("merged records") as connection:
                put_merges(connection, merges)
        return sum(len(materials) for materials in merges.values())

    def identities(
        self, *, scope: Scope, material_ids: Collection[str] = (), compositions: Collection[str] = ()
    ) -> list[Identity]:
        """Return which visible materials have one of some identifiers or one of some compositions."""
        with self.database.connected("read materials from") as connection:
            named = list(identities(connection, scope, MaterialRow.material_id, material_ids))
            composed = list(identities(connection, scope, MaterialRow.composition, compositions))
        return list({found.material_id: found for found in (*named, *composed)}.values())

    def materials_of(self, material_ids: Collection[str], *, scope: Scope) -> Iterator[Material]:
        """Stream the visible ones of some materials, in the order of ``material_id``."""
        for names in in_pieces(material_ids):
            statement = select_materials(scope, MaterialFilter()).where(MaterialRow.material_id.in_(names))
            yield from self.database.read(statement, [MaterialRow.material_id], material_record)

    def kept_ids(self, merged_ids: Collection[str], *, scope: Scope) -> dict[str, str]:
        """Return by identifier, for those that were merged, the visible record they were merged into."""
        found: dict[str, str] = {}
        with self.database.connected("read materials from") as connection:
            for names in in_pieces(merged_ids):
                statement = select(MergedMaterialRow.merged_id, MergedMaterialRow.material_id)
                joined = statement.join(MaterialRow, MaterialRow.material_id == MergedMaterialRow.material_id)
                wanted = joined.where(visible(MaterialRow, scope), MergedMaterialRow.merged_id.in_(names))
                found.update((merged, kept) for merged, kept in connection.execute(wanted))
        return found

    def materials(
        self,
        *,
        scope: Scope,
        family: Family | None = None,
        elements: Collection[str] = (),
        chemical_system: str | None = None,
        composition: str | None = None,
        known: bool | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Iterator[Material]:
        """Stream materials in the order of ``material_id`` (by code point).

        Args:
            scope: in whose name.
            family: only this family.
            elements: symbols that must all be present; others may be.
            chemical_system: exactly these elements, such as ``"La-Ni"``, in any order.
            composition: canonical formula, as :attr:`Material.composition` writes it.
            known: only materials from the literature (True) or only enumerated ones (False).
            limit: at most so many.
            after: last ``material_id`` of the previous page.

        Raises:
            InputError: ``limit`` is negative.
        """
        _check_limit(limit)
        wanted = MaterialFilter(family, elements, chemical_system, composition, known)
        statement = select_materials(scope, wanted)
        if after is not None:
            statement = statement.where(MaterialRow.material_id > after)
        return self.database.read(statement, [MaterialRow.material_id], material_record, limit=limit)

    def count_materials(
        self,
        *,
        scope: Scope,
        family: Family | None = None,
        elements: Collection[str] = (),
        chemical_system: str | None = None,
        composition: str | None = None,
        known: bool | None = None,
    ) -> int:
        """Count what :meth:`materials` would stream with the same filters."""
        wanted = MaterialFilter(family, elements, chemical_system, composition, known)
        with self.database.connected("count materials in") as connection:
            return connection.scalar(count_of(select_materials(scope, wanted))) or 0

    def add_measurements(self, measurements: Iterable[Measurement]) -> int:
        """Write measurements, all or none.

        A correction names the measurement it ``replaces``, which comes before it; both stay, and reads leave
        the old one out.

        Returns:
            Number of measurements given; identical ones stored before count too.

        Raises:
            StoreError: a material is unknown, an identifier is taken by other content, or a correction is of
                something unknown, of another owner's, or of something already corrected.
        """
        given = list(measurements)
        if given:
            with self.database.writing("measurements") as connection:
                writing.put_measurements(connection, given)
        return len(given)

    def measurements(
        self,
        *,
        scope: Scope,
        material_id: str | None = None,
        property: str | None = None,
        include_replaced: bool = False,
    ) -> Iterator[Measurement]:
        """Stream measurements in the order of ``measurement_id``.

        Args:
            scope: in whose name.
            material_id: only of this material.
            property: only of this property.
            include_replaced: also those that were corrected later.
        """
        statement = select_measurements(scope, include_replaced=include_replaced)
        if material_id is not None:
            statement = statement.where(MeasurementRow.material_id == material_id)
        if property is not None:
            statement = statement.where(MeasurementRow.property == property)
        return self.database.read(statement, [MeasurementRow.measurement_id], measurement_record)

    def add_predictions(self, predictions: Iterable[Prediction]) -> int:
        """Write predictions, replacing earlier answers of the same model to the same question.

        The question is material, property, conditions, definitions and owner. Predictions are taken and
        written in chunks of :data:`CHUNK_ROWS`; chunks written before an error stay.

        Returns:
            Number of predictions written, repeats included.

        Raises:
            StoreError: a material is unknown, or the database refuses a value.
        """
        return self._write_chunks(predictions, CHUNK_ROWS, writing.put_predictions)

    def predictions(
        self,
        *,
        scope: Scope,
        material_id: str | None = None,
        property: str | None = None,
        model_id: str | None = None,
    ) -> Iterator[Prediction]:
        """Stream predictions in the order of ``material_id``, always the same within a material.

        Args:
            scope: in whose name.
            material_id: only of this material.
            property: only of this property.
            model_id: only of this model.
        """
        statement = select(PredictionRow).where(visible(PredictionRow, scope))
        if material_id is not None:
            statement = statement.where(PredictionRow.material_id == material_id)
        if property is not None:
            statement = statement.where(PredictionRow.property == property)
        if model_id is not None:
            statement = statement.where(PredictionRow.model_id == model_id)
        key = [PredictionRow.material_id, PredictionRow.prediction_id]
        return self.database.read(statement, key, prediction_record)

    def add_screen(self, screen: Screen) -> None:
        """Write a finished screen; writing the same one again changes nothing.

        Raises:
            StoreError: its identifier is taken by other content, or its manifest is not plain JSON.
        """
        with self.database.writing("a screen") as connection:
            writing.put_screen(connection, screen)

    def screen(self, screen_id: str, *, scope: Scope) -> Screen | None:
        """Return the screen, or None where the scope sees none."""
        statement = select(ScreenRow).where(visible(ScreenRow, scope), ScreenRow.screen_id == screen_id)
        return next(self.database.read(statement, [ScreenRow.screen_id], screen_record), None)

    def screens(
        self,
        *,
        scope: Scope,
        target: str | None = None,
        limit: int = 20,
        after: tuple[datetime, str] | None = None,
    ) -> list[Screen]:
        """Return screens, newest first.

        Args:
            scope: in whose name.
            target: only those ranked for this target.
            limit: at most so many.
            after: time and identifier of the last one of the page before.

        Raises:
            InputError: ``limit`` is negative.
        """
        _check_limit(limit)
        row = ScreenRow
        statement = select(row).where(visible(row, scope))
        if target is not None:
            statement = statement.where(row.target == target)
        if after is not None:
            at, name = after
            statement = statement.where(or_(row.created_at < at, and_(row.created_at == at, row.screen_id > name)))
        newest = statement.order_by(row.created_at.desc(), row.screen_id).limit(limit)
        with self.database.session(row.__tablename__) as session:
            return [screen_record(found) for found in session.scalars(newest)]

    def _write_chunks(
        self, records: Iterable[Record], chunk_size: int, put: Callable[[Connection, Sequence[Record]], None]
    ) -> int:
        if chunk_size < 1:
            raise InputError(f"chunk_size must be at least 1, got {chunk_size}")
        source = iter(records)
        written = 0
        while chunk := list(islice(source, chunk_size)):
            with self.database.writing("records") as connection:
                put(connection, chunk)
            written += len(chunk)
        return written


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 0:
        raise InputError(f"limit must be 0 or more, got {limit}")

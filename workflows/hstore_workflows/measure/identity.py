"""Whose what a lab tells is, and under which identifier: the same one whenever it is told again."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.records import Visibility
from hstore.store.lab_records import Held

if TYPE_CHECKING:
    from hstore.records import Access, Material, MeasuredIsotherm, Measurement
    from hstore.store.lab_records import LabRecords


def record_id(prefix: str, lab_id: str, *identity: Any) -> str:
    """Return the identifier of what a lab tells.

    It follows from the lab and what is told, so that telling it again after a crash cannot double it, and two
    labs that tell the same have two identifiers.
    """
    text = json.dumps([lab_id, *identity], sort_keys=True, ensure_ascii=True)
    return f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def check_access(access: Access) -> None:
    """Refuse what nobody owns, and an embargo that has ended.

    Raises:
        InputError: the access names no lab, or its embargo ends today or earlier.
    """
    if access.lab_id is None:
        raise InputError("measurements belong to a lab, and none is named; use a key of a lab")
    if access.visibility is Visibility.PUBLIC and access.embargo_until is not None:
        raise InputError("visibility 'public' and embargo_until contradict each other; leave one out")
    today = datetime.now(UTC).date()
    if access.embargo_until is not None and access.embargo_until <= today:
        raise InputError(
            f"embargo_until must lie in the future, got {access.embargo_until}; say visibility 'public' to "
            "publish at once"
        )


def is_opened(access: Access) -> bool:
    """Tell whether others than its lab see a record, now or from the end of its embargo on."""
    return access.visibility is Visibility.PUBLIC or access.embargo_until is not None


def held_record(
    records: LabRecords, record: Measurement | MeasuredIsotherm, material: Material | None, cause: str
) -> Held:
    """Return a record as it waits for a confirmation, with the material that is to be made with it."""
    return Held(
        record_id=record.model_dump()[next(iter(type(record).model_fields))],
        what=records.what,
        held_at=datetime.now(UTC),
        cause=cause,
        record=record.model_dump(mode="json"),
        material=None if material is None else material.model_dump(mode="json"),
    )

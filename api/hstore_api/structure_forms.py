"""Crystal structures in the forms of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from hstore_api.errors import NotAcceptableError
from hstore_api.representation import JSON

if TYPE_CHECKING:
    from collections.abc import Mapping

STRUCTURE_TYPES: Mapping[str, str] = {
    "cif": "chemical/x-cif",
    "json": JSON,
    "poscar": "chemical/x-vasp",
    "xyz": "chemical/x-xyz",
}
"""Media type of each form of a structure."""


def written_structure(structure: dict[str, Any], form: str) -> bytes:
    """Write a structure.

    Args:
        structure: pymatgen dictionary.
        form: one of :data:`STRUCTURE_TYPES`.

    Raises:
        NotAcceptableError: this structure has no such form, as POSCAR has none for sites that are partly filled.
    """
    if form == "json":
        return to_json(structure)
    from pymatgen.core import Structure

    try:
        text = Structure.from_dict(structure).to(fmt=form)  # type: ignore[arg-type] # one of STRUCTURE_TYPES
    except Exception as error:  # whatever a source left out or pymatgen cannot write, the JSON is as it was given
        raise NotAcceptableError(
            f"this structure cannot be written as {form}; take it with format=json"
        ) from error
    return str(text).encode()

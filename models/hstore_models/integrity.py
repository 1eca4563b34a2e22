"""Saved files are what was saved: each refused with its own reason where it is not.

Checked in this order: format and version of the card, its signature, its form; then length and SHA-256 of each
file.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

import hstore
from hstore.errors import ModelError
from hstore_models.card import CARD_FORMAT, FileStamp, ModelCard
from hstore_models.signing import is_signed, make_key, read_key, signature

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CARD_FILE = "card.json"
"""Name of the card in the folder of a version."""

MODEL_FILE, HELD_OUT_FILE, GOLDEN_FILE = "model.zip", "held_out.parquet", "golden.json"
"""Names of the other files in the folder of a version."""

VERSION_FILES = (MODEL_FILE, HELD_OUT_FILE, GOLDEN_FILE)
"""Files of a version that its card states."""


@dataclass(frozen=True)
class ForeignVersion:
    """A version of another registry, whose files are what its card states."""

    card: ModelCard
    """Its card, signed by nobody here."""
    contents: Mapping[str, bytes]
    """File -> content, of :data:`VERSION_FILES`."""


def sealed(card: ModelCard, contents: Mapping[str, bytes], folder: Path) -> str:
    """Return the text of a card that states its files and carries the signature of the registry.

    Args:
        card: the card; format, time of saving, files and signature are filled in.
        contents: file name -> content.
        folder: folder of the registry, where the key is.
    """
    stamps = {file: _stamp(content) for file, content in contents.items()}
    known = {"files": stamps, "created": card.created or datetime.now(UTC), "format": CARD_FORMAT}
    content = json.loads(card.model_copy(update=known).model_dump_json())
    content["signature"] = signature(content, make_key(folder))
    return json.dumps(content, indent=2) + "\n"


def read_card(path: Path, folder: Path) -> ModelCard:
    """Read a card and check versions, signature and form.

    Args:
        path: ``FOLDER/<model>/<model_id>/card.json``.
        folder: folder of the registry, where the key is.

    Raises:
        ModelError: damaged, changed, or of another version.
    """
    content = _card_content(path)
    if not is_signed(content, read_key(folder)):
        raise ModelError(
            f"card {path} does not carry the signature of this registry: it was changed or signed anew after it "
            f"was saved, or copied from another machine; {retrain(path.parent.parent.name)}"
        )
    return _card(content, path)


def read_foreign(folder: Path) -> ForeignVersion:
    """Read a version that another registry wrote; its signature means nothing here and is left out of account.

    Args:
        folder: ``.../<model>/<model_id>`` with the files of the version.

    Raises:
        ModelError: damaged, changed, or of another version of hstore.
    """
    path = folder / CARD_FILE
    card = _card(_card_content(path), path)
    if (card.model, card.model_id) != (folder.parent.name, folder.name):
        raise ModelError(f"card {path} is that of {card.model_id}, copied or renamed; {retrain(card.model)}")
    return ForeignVersion(card, {file: read_checked(folder / file, card) for file in VERSION_FILES})


def read_checked(path: Path, card: ModelCard) -> bytes:
    """Read a file whole and compare it with its stamp, so that what was compared is what is used.

    Raises:
        ModelError: missing, truncated or changed.
    """
    if path.name not in card.files:
        raise ModelError(f"card of {card.model_id} states no checksum of {path.name}; {retrain(card.model)}")
    wanted = card.files[path.name]
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"file {path} cannot be read ({error}); {retrain(card.model)}") from error
    found = _stamp(content)
    if found.n_bytes < wanted.n_bytes:
        raise ModelError(
            f"file {path} is truncated: {found.n_bytes:,} bytes, its card states {wanted.n_bytes:,}; "
            f"{retrain(card.model)}"
        )
    if found != wanted:
        raise ModelError(
            f"file {path} was changed: SHA-256 {found.sha256}, its card states {wanted.sha256}; "
            f"{retrain(card.model)}"
        )
    return content


def retrain(name: str) -> str:
    """Say how to get a whole model again."""
    return f"retrain with: hstore train {name}"


def first_of(error: ValidationError) -> str:
    """Say what is wrong in the first place, and where."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}"


def _card_content(path: Path) -> dict[str, Any]:
    again = retrain(path.parent.parent.name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # not readable, no text, or no JSON
        raise ModelError(f"card {path} is damaged ({error}); {again}") from error
    if not isinstance(content, dict):
        raise ModelError(f"card {path} is damaged (no JSON object); {again}")
    _check_versions(content, path)
    return content


def _card(content: Mapping[str, Any], path: Path) -> ModelCard:
    try:
        return ModelCard.model_validate_json(json.dumps(content))
    except ValidationError as error:
        again = retrain(path.parent.parent.name)
        raise ModelError(f"card {path} is damaged ({first_of(error)}); {again}") from error


def _check_versions(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a card of another format, or by a newer hstore, before anything else of it is read."""
    again = retrain(path.parent.parent.name)
    found = content.get("format", 1)
    if found != CARD_FORMAT:
        raise ModelError(
            f"card {path} is of format {found!r}, this version of hstore reads format {CARD_FORMAT}; {again}"
        )
    versions = content.get("versions")
    writer = str(versions.get("hstore", "0")) if isinstance(versions, dict) else "0"
    if _release(writer) > _release(hstore.__version__):
        raise ModelError(
            f"model {path.parent.name} was written by hstore {writer}, newer than this hstore "
            f"{hstore.__version__}; update hstore, or {again}"
        )


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version before any suffix, trailing zeros left out."""
    match = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in match.group().split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _stamp(content: bytes) -> FileStamp:
    return FileStamp(sha256=hashlib.sha256(content).hexdigest(), n_bytes=len(content))

"""Write a crate: a folder or a zip archive, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import hstore
from hstore.errors import InputError
from hstore.licences import Mix, check_licence
from hstore_workflows.crate.content import ABOUT, CHECKSUMS, About, Piece, json_bytes
from hstore_workflows.crate.metadata import make_crate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore_workflows.crate.author import Author
    from hstore_workflows.crate.content import Content

ENDING = ".zip"
"""How the name of a crate in one file ends; any other name is a folder."""

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of a zip archive; the same bytes whenever it is packed


def write_crate(
    content: Content, out: Path, *, authors: Sequence[Author] = (), licence: str | None = None
) -> About:
    """Write a crate.

    Args:
        content: what goes into it.
        out: ``NAME.zip``, or a folder to be made.
        authors: whom it is by.
        licence: SPDX identifier for the whole; the licences of the parts when None.

    Returns:
        What hstore needs to take it in.

    Raises:
        InputError: something of that name is there, or a part's licence stands against that of the whole.
        MissingExtraError: the package rocrate is not installed.
    """
    if out.exists():
        raise InputError(f"{out} is there already; choose another name, or delete it first")
    if licence is not None:
        licence = _checked_licence(content, licence)
    about = About(
        kind=content.kind,
        name=content.name,
        hstore=hstore.__version__,
        written_at=datetime.now(UTC).replace(microsecond=0),
        access=content.access,
        models=content.models,
        licence=licence,
        licences=dict(content.rows.rows),
        notes=content.notes,
    )
    pieces = (*content.pieces, _about_piece(about, content))
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise InputError(f"no folder can be made in {out.parent}: {error.strerror}; choose another") from error
    try:
        folder = scratch / "crate"
        make_crate(content, pieces, about, authors).write(folder)
        (folder / CHECKSUMS).write_text(_checksums(folder), encoding="utf-8")
        _put(folder, scratch, out, private=about.private_to is not None)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return about


def size_of(out: Path) -> int:
    """Return the length of a crate, bytes."""
    files = [path for path in out.rglob("*") if path.is_file()] if out.is_dir() else [out]
    return sum(path.stat().st_size for path in files)


def _checked_licence(content: Content, licence: str) -> str:
    whole = check_licence(licence)
    reasons = content.licences.against(whole)
    if reasons:
        raise InputError(
            f"the whole cannot go out under {whole}: {'; '.join(reasons)}; choose a licence that keeps what they "
            "ask for, or leave --licence out, and every part keeps its own"
        )
    return whole


def _about_piece(about: About, content: Content) -> Piece:
    return Piece(
        ABOUT,
        json_bytes(about.model_dump(mode="json")),
        "What hstore needs to import the crate",
        "application/json",
        Mix.of([content.rows.licence]),
        role="about",
    )


def _checksums(folder: Path) -> str:
    """Return the lines of :data:`CHECKSUMS`, in the order of the names."""
    lines = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(folder).as_posix()}\n")
    return "".join(lines)


def _put(folder: Path, scratch: Path, out: Path, *, private: bool) -> None:
    """Move what was written to its place."""
    if out.suffix.lower() != ENDING:
        folder.chmod(0o700 if private else 0o755)
        folder.rename(out)
        return
    packed = scratch / "crate.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target)
    with packed.open("rb") as written:
        os.fsync(written.fileno())
    if private:
        packed.chmod(0o600)
    packed.rename(out)

"""A finished screen as a crate, and back: the same folder, the same identifier, with its models the same run."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from hstore.errors import InputError
from hstore.licences import Mix
from hstore.records import Access
from hstore_data.catalog import file_sha256
from hstore_workflows.crate.content import Content, Made, Piece
from hstore_workflows.crate.parts import (
    CSV,
    HTML,
    JSON,
    PARQUET,
    TOML,
    card_piece,
    cards_of,
    check_private,
    dataset_pieces,
    sets_of,
    version_pieces,
)
from hstore_workflows.crate.toml_text import toml_text
from hstore_workflows.licensing import screen_datasets, screen_licences, stated_licences
from hstore_workflows.publish import record_of
from hstore_workflows.screen import OUTPUT_FILES

if TYPE_CHECKING:
    from hstore.records import Screen
    from hstore.settings import Settings
    from hstore_models.card import ModelCard
    from hstore_workflows.crate.reading import ReadCrate

RUN = "run"
"""Folder of a crate with the folder of the screen."""

_TABLE = "input/table"
_FILES = {
    "candidates.parquet": ("Candidates, best first, with predictions, intervals and scores", PARQUET),
    "candidates.csv": ("The same as text, numbers with six digits", CSV),
    "rejected.csv": ("Rows that could not be used, with their causes", CSV),
    "manifest.json": ("Command, target, versions, checksums, models, seed, time and memory", JSON),
    "report.html": ("Report: a page that needs nothing else", HTML),
}


def screen_content(
    folder: Path,
    settings: Settings,
    *,
    with_models: bool = False,
    table: Path | None = None,
    private: bool = False,
) -> Content:
    """Gather what goes into the crate of a screen.

    Args:
        folder: folder of a finished screen.
        settings: where the models are.
        with_models: True to put the files of its models in too.
        table: the table of candidates that was screened, to put in too.
        private: True to let versions of a lab out.

    Raises:
        InputError: the folder holds no whole screen, the table is another one, or a version is a lab's.
        ModelError: files of a model are wanted, but are refused.
    """
    manifest, candidates = _read(folder)
    record = screen_record(manifest, candidates)
    cards, missing = cards_of(settings, manifest["models"].values())
    check_private(cards, private=private)
    if with_models and missing:
        raise InputError(f"the models {', '.join(missing)} are not here any more; export without --with-models")
    rows = screen_licences(manifest, stated_licences(candidates))
    datasets = sorted({*screen_datasets(manifest), *sets_of(cards)})
    pieces = [
        *_run_pieces(folder, rows),
        _target_piece(manifest, rows),
        *([] if table is None else [_table_piece(table, manifest)]),
        *map(card_piece, cards),
        *dataset_pieces(datasets),
    ]
    if with_models:
        pieces += [piece for card in cards for piece in version_pieces(settings, card)]
    return Content(
        kind="screen",
        name=record.screen_id,
        title=f"Screen {record.screen_id}: {manifest['target']['title']}",
        description=_words(record, manifest),
        pieces=tuple(pieces),
        rows=rows,
        datasets=tuple(datasets),
        versions=manifest["versions"],
        made=Made("Screen", manifest["command"] or "hstore screen", manifest["finished_at"]),
        access=_access(cards),
        models=tuple(f"{card.model}/{card.model_id}" for card in cards) if with_models else (),
        notes=tuple(_notes(manifest, missing, with_models=with_models, table=table)),
    )


def screen_record(manifest: dict[str, Any], candidates: pd.DataFrame, access: Access | None = None) -> Screen:
    """Build the record of a screen from its folder; its identifier is that of the run itself."""
    return record_of(
        manifest["target"]["name"],
        manifest,
        candidates,
        n_rejected=int(manifest["counts"]["rejected"]),
        access=access or Access(),
    )


def check_screen(crate: ReadCrate, out: Path) -> bool:
    """Tell whether the folder of a screen is still to be written; False where it is there, file by file.

    Raises:
        InputError: the place holds something else.
    """
    if not out.exists():
        return True
    held = {path.name: file_sha256(path) for path in out.iterdir() if path.is_file()} if out.is_dir() else {}
    if held == {name: crate.sha256[f"{RUN}/{name}"] for name in OUTPUT_FILES}:
        return False
    raise InputError(f"{out} is there already and holds something else than this screen; give another --out")


def take_screen(crate: ReadCrate, out: Path) -> None:
    """Write the folder of a screen, whole or not at all."""
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        shutil.copytree(crate.folder / RUN, scratch / "run", ignore=lambda _, names: {*names} - OUTPUT_FILES)
        (scratch / "run").rename(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def record_in(crate: ReadCrate, access: Access) -> Screen:
    """Build the record of the screen in a crate.

    Raises:
        InputError: its files do not make the screen that the crate names.
    """
    record = screen_record(*_read(crate.folder / RUN), access)
    if record.screen_id != crate.about.name:
        raise InputError(f"{crate.path} names the screen {crate.about.name}, its files make {record.screen_id}")
    return record


def _read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    missing = sorted(name for name in OUTPUT_FILES if not (folder / name).is_file())
    if missing:
        raise InputError(f"{folder} is no finished screen: {', '.join(missing)} is missing; give the --out of one")
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        named = manifest["target"]["name"], manifest["target"]["title"], manifest["counts"]["rejected"]
        known = manifest["models"], manifest["versions"], manifest["finished_at"], manifest["command"]
        candidates = pd.read_parquet(folder / "candidates.parquet")
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(f"{folder} cannot be read as a screen ({error!r}); run it again") from error
    assert named
    assert known
    return manifest, candidates


def _run_pieces(folder: Path, rows: Mix) -> list[Piece]:
    whole = Mix.of([rows.licence])
    mixes = dict.fromkeys(("candidates.parquet", "candidates.csv"), rows)
    return [
        Piece(f"{RUN}/{name}", folder / name, words, media_type, mixes.get(name, whole))
        for name, (words, media_type) in _FILES.items()
    ]


def _target_piece(manifest: dict[str, Any], rows: Mix) -> Piece:
    content = toml_text(manifest["target"]).encode()
    whole = Mix.of([rows.licence])
    return Piece("input/target.toml", content, "Target, as hstore screen takes it", TOML, whole, role="object")


def _table_piece(table: Path, manifest: dict[str, Any]) -> Piece:
    from hstore_workflows.tables import read_table

    digest = file_sha256(table) if table.is_file() else ""
    if digest not in manifest["pool_checksums"].values():
        known = ", ".join(manifest["pool_checksums"]) or "the shipped pool, which is no file"
        raise InputError(f"{table} is not the table of this screen ({known}); give that one, or none")
    endings = "".join(table.suffixes[-2:] if table.suffix == ".gz" else table.suffixes[-1:]).lower()
    media_type = PARQUET if endings == ".parquet" else CSV
    mix = Mix.of(stated_licences(read_table(table)))
    return Piece(
        f"{_TABLE}{endings}", table, f"Table that was screened, {table.name}", media_type, mix, role="object"
    )


def _access(cards: list[ModelCard]) -> Access:
    """A screen with versions of a lab belongs to that lab."""
    return next((card.access for card in cards if card.access.visibility == "lab"), Access())


def _words(record: Screen, manifest: dict[str, Any]) -> str:
    return (
        f"{record.n_candidates:,} candidates from {manifest['pool']}, ranked for the target {record.target} by "
        f"hstore {manifest['versions'].get('hstore', '')}; {record.n_rejected:,} rows were rejected. Columns "
        "ending in _mean are predictions, with 90 % intervals beside them; the manifest names the models."
    )


def _notes(manifest: dict[str, Any], missing: list[str], *, with_models: bool, table: Path | None) -> list[str]:
    notes = []
    if not with_models:
        notes.append("The files of the models are not in it, their cards are.")
    if missing:
        notes.append(
            f"The cards of {', '.join(missing)} are not in it: these models were gone when it was written."
        )
    if manifest["pool_checksums"] and table is None:
        named = ", ".join(f"{name} (SHA-256 {digest})" for name, digest in manifest["pool_checksums"].items())
        notes.append(f"The table that was screened is not in it: {named}.")
    return notes

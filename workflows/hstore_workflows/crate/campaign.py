"""A campaign as a crate, and back: the same ledger, the same candidates, the same next proposals."""

from __future__ import annotations

import io
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pandas as pd

from hstore.errors import InputError
from hstore.licences import NOT_STATED, OWN_DATA, Mix, joined
from hstore.records import Visibility
from hstore_workflows.campaign.config import read_config
from hstore_workflows.campaign.ledger import CONFIG, ledger_exists, open_ledger
from hstore_workflows.campaign.lock import deciding
from hstore_workflows.campaign.places import campaign_folder, literature_path, open_pool, pool_path
from hstore_workflows.campaign.records import status_record
from hstore_workflows.campaign.storage import open_storage
from hstore_workflows.campaign.story import status
from hstore_workflows.crate.content import Content, Piece, json_bytes
from hstore_workflows.crate.parts import (
    CSV,
    JSON,
    PARQUET,
    card_piece,
    cards_of,
    check_private,
    dataset_pieces,
    sets_of,
    version_pieces,
)
from hstore_workflows.crate.study import is_half_done, read_study, write_study

if TYPE_CHECKING:
    from hstore.settings import Settings
    from hstore_models.card import ModelCard
    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.story import Status
    from hstore_workflows.crate.reading import ReadCrate

LEDGER = "campaign/ledger.json"
"""File of a crate with the ledger."""

_FILES = "campaign/files"
_NAME = re.compile(r"(?:[A-Za-z0-9_.-]+:)?[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_SUPPLY = "element_supply"
_EXPERIMENTS = (
    "number", "material_id", "formula", "state", "lab", "values", "stds", "failed_because", "strategy", "reason",
    "lease_until",
)  # fmt: skip


def campaign_content(
    name: str, settings: Settings, *, with_models: bool = False, private: bool = False
) -> Content:
    """Gather what goes into the crate of a campaign.

    Args:
        name: of the campaign.
        settings: where campaigns and models are.
        with_models: True to put the files of the models behind its predictions in too.
        private: True to let the campaign, or a version, of a lab out.

    Raises:
        UnknownNameError: no such campaign.
        InputError: it, or a version, belongs to a lab; or models are wanted that are gone.
        DataError: a file of it is missing or was changed.
    """
    with open_ledger(settings, name, lock="ledger") as ledger:
        config = ledger.config
        open_pool(settings, name, config)  # its files are those it began with, or nothing is exported
        files = _files(settings, name, config)
        with open_storage(settings) as storage:
            study = read_study(storage, name)
        found = status(settings, name)
    if config.access.visibility is Visibility.LAB and not private:
        raise InputError(
            f"campaign {name} belongs to lab {config.access.lab_id}; --private exports it all the same, the crate "
            "says so, and where it is imported only that lab and its members see it"
        )
    cards, missing = cards_of(settings, config.model_ids)
    check_private(cards, private=private)
    if with_models and missing:
        raise InputError(f"the models {', '.join(missing)} are not here any more; export without --with-models")
    pool, told = _pool_licences(files["pool.parquet"], cards), Mix.of({None: len(study["trials"])})
    datasets = sorted({*sets_of(cards), *([] if config.effort_column else [_SUPPLY])})
    pieces = [
        *_ledger_pieces(study, found, told if told.total else Mix.of([pool.licence])),
        *(_file_piece(file, content, pool) for file, content in files.items()),
        *map(card_piece, cards),
        *dataset_pieces(datasets),
    ]
    if with_models:
        pieces += [piece for card in cards for piece in version_pieces(settings, card)]
    return Content(
        kind="campaign",
        name=name,
        title=f"Campaign {name}: {', '.join(map(str, config.objective.goals))}",
        description=_words(found, config),
        pieces=tuple(pieces),
        rows=pool + told,
        datasets=tuple(datasets),
        access=config.access,
        models=tuple(f"{card.model}/{card.model_id}" for card in cards) if with_models else (),
        notes=tuple(_notes(missing, with_models=with_models, model_ids=config.model_ids)),
    )


def check_campaign(crate: ReadCrate, settings: Settings) -> bool:
    """Tell whether the campaign of a crate is still to be written; False where it is here, to the last trial.

    Raises:
        InputError: the crate holds no whole campaign, or another one of that name is here.
        StoreError: a newer hstore wrote it.
    """
    held, config = _held(crate)
    name = crate.about.name
    if (
        f"{_FILES}/pool.parquet" not in crate.sha256
        or crate.sha256[f"{_FILES}/pool.parquet"] != config.pool_sha256
    ):
        raise InputError(
            f"{crate.path} does not hold the candidates its campaign began with; ask for the crate again"
        )
    if config.priors_file and crate.sha256.get(f"{_FILES}/{config.priors_file}") != config.priors_sha256:
        raise InputError(f"{crate.path} does not hold the predictions of its campaign; ask for the crate again")
    if not ledger_exists(settings, name):
        return True
    with open_storage(settings) as storage:
        if is_half_done(storage, name):
            return True
        here = json.loads(json_bytes(read_study(storage, name)))
    if here == held:
        return False
    raise InputError(
        f"a campaign {name!r} is here already, with {len(here['trials'])} entries, and the crate's has "
        f"{len(held['trials'])}: they are not the same; import it into another HSTORE_HOME"
    )


def take_campaign(crate: ReadCrate, settings: Settings) -> bool:
    """Write the campaign of a crate: its files first, then the ledger, which is all there or not at all.

    Returns:
        False where it is here already.

    Raises:
        InputError: the ledger cannot be read, or another campaign of that name is here.
        StoreError: the database cannot be written.
    """
    held, _ = _held(crate)
    name = crate.about.name
    folder = campaign_folder(settings, name)
    with deciding(settings, name):
        if not check_campaign(crate, settings):
            return False
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(file for file in crate.sha256 if file.startswith(f"{_FILES}/")):
            scratch = folder / f".new-{file.rpartition('/')[2]}"
            shutil.copyfile(crate.folder / file, scratch)
            scratch.rename(folder / file.rpartition("/")[2])
        with open_storage(settings) as storage:
            if any(study.study_name == name for study in storage.get_all_studies()) and is_half_done(
                storage, name
            ):
                storage.delete_study(storage.get_study_id_from_name(name))
            write_study(storage, held)
    return True


def _held(crate: ReadCrate) -> tuple[dict[str, Any], CampaignConfig]:
    name = crate.about.name
    if LEDGER not in crate.sha256 or not _NAME.match(name):
        raise InputError(
            f"{crate.path} holds no campaign that can be imported, or one of a strange name ({name!r})"
        )
    held: dict[str, Any] = json.loads((crate.folder / LEDGER).read_text(encoding="utf-8"))
    try:
        config = read_config(name, held["attributes"][CONFIG])
    except (KeyError, TypeError) as error:
        raise InputError(
            f"the ledger in {crate.path} cannot be read ({error!r}); ask for the crate again"
        ) from error
    if held.get("name") != name:
        raise InputError(f"{crate.path} names the campaign {name!r}, its ledger is that of {held.get('name')!r}")
    if config.access != crate.about.access:
        raise InputError(f"{crate.path} says otherwise than its ledger who may see the campaign; ask for it again")
    return held, config


def _files(settings: Settings, name: str, config: CampaignConfig) -> dict[str, bytes]:
    """Return the files a campaign needs to go on, and those it was predicted with before."""
    folder = campaign_folder(settings, name)
    paths = [
        pool_path(settings, name),
        literature_path(settings, name),
        *sorted(folder.glob("predictions-*.parquet")),
    ]
    found = {path.name: path.read_bytes() for path in paths if path.is_file()}
    assert not config.priors_file or config.priors_file in found
    return found


def _file_piece(file: str, content: bytes, pool: Mix) -> Piece:
    if file.startswith("literature"):
        return Piece(
            f"{_FILES}/{file}",
            content,
            "What curated tables say of the columns",
            PARQUET,
            Mix.of([OWN_DATA]),
            role="object",
        )
    words = "Candidates as the campaign began" if file.startswith("pool") else "Predictions of a retraining"
    return Piece(f"{_FILES}/{file}", content, words, PARQUET, pool, role="object")


def _ledger_pieces(study: dict[str, Any], found: Status, results: Mix) -> list[Piece]:
    record = status_record(found)
    table = pd.DataFrame(
        [{name: _cell(row.get(name)) for name in _EXPERIMENTS} for row in record["experiments"]],
        columns=_EXPERIMENTS,
    )
    table["licence"] = NOT_STATED
    text = table.to_csv(index=False, lineterminator="\n").encode()
    return [
        Piece(
            LEDGER, json_bytes(study), "Ledger: every proposal and every result, with its history", JSON, results
        ),
        Piece("campaign/experiments.csv", text, "Experiments and what was measured", CSV, results),
        Piece("campaign/status.json", json_bytes(record), "Where the campaign stands", JSON, results),
    ]


def _cell(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, dict) else value


def _pool_licences(content: bytes, cards: list[ModelCard]) -> Mix:
    """Count the licences of the candidates; a pool of an earlier version says nothing of them."""
    frame = pd.read_parquet(io.BytesIO(content))
    if "licence" in frame:
        return Mix.of(list(frame["licence"]))
    return Mix.of({joined([None, *(card.licence for card in cards)]): len(frame)})


def _words(found: Status, config: CampaignConfig) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in found.counts.items())
    windows = f" within {', '.join(map(str, config.objective.windows))}" if config.objective.windows else ""
    lab = config.access.lab_id if config.access.visibility is Visibility.LAB else None
    private = f" It is private to lab {lab}." if lab else ""
    goals = ", ".join(map(str, config.objective.goals))
    return f"A campaign over {config.pool_rows:,} candidates for {goals}{windows}. Experiments: {counts}.{private}"


def _notes(missing: list[str], *, with_models: bool, model_ids: tuple[str, ...]) -> list[str]:
    notes = []
    if model_ids and not with_models:
        notes.append("The files of the models behind its predictions are not in it; proposals do not need them.")
    if missing:
        notes.append(
            f"The cards of {', '.join(missing)} are not in it: these models were gone when it was written."
        )
    return notes

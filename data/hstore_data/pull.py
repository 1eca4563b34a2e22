"""Bring public data sets into the home folder, verified.

A set comes from the first of: the base given by the caller, the mirror in the settings, its upstream. Files
of a set are collected in a staging folder and moved into place only when all of them have arrived and passed
their checksum, so a broken download leaves nothing behind.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hstore.errors import DataError, InputError
from hstore_data.card import Tier
from hstore_data.catalog import file_sha256, get_card, how_to_get

if TYPE_CHECKING:
    from hstore.settings import Settings
    from hstore_data.card import Card, DataFile

RETRIES = 2
"""Further attempts after a download that broke off or failed its checksum."""

_TRUSTED = "trusted.json"


@dataclass(frozen=True, slots=True)
class PulledFile:
    """One file of a set, as it now lies in the home folder."""

    path: str
    """Name inside the folder of the set."""
    sha256: str
    """Its checksum."""
    source: str
    """URL or path it came from; ``"already here"`` when nothing was done."""


@dataclass(frozen=True)
class PullResult:
    """What a pull did."""

    name: str
    """Name of the set."""
    folder: Path
    """Folder that holds the files now."""
    licence: str
    """Licence to show."""
    files: tuple[PulledFile, ...]
    """All files of the set that are here."""
    warnings: tuple[str, ...] = ()
    """What the user should know, such as a mirror's copy that differs from the card's."""


@dataclass(frozen=True)
class _Source:
    """Where one file comes from, and what its checksum must be."""

    location: str
    """URL, or path of a file."""
    expected: str | None
    """Checksum; None accepts what comes, which :class:`_Job` records or warns about."""


@dataclass
class _Job:
    """One pull in progress."""

    card: Card
    settings: Settings
    trust: bool
    warnings: list[str] = field(default_factory=list)
    newly_trusted: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.settings.data_dir / self.card.name


def pull(
    name: str, settings: Settings, *, base: str | None = None, trust_on_first_use: bool = False
) -> PullResult:
    """Bring a public set into the home folder; what is there already and right is left alone.

    Args:
        name: name of the public set.
        settings: home folder and mirror.
        base: ``http(s)`` URL or folder that holds ``NAME/file`` in the layout of the card; the checksums of
            the card are enforced.
        trust_on_first_use: accept an upstream file whose checksum is not known, and record it; later pulls
            of the same URL must then match.

    Raises:
        UnknownNameError: no such set.
        InputError: the set is curated, so there is nothing to pull.
        DataError: no source, a checksum that differs, or a download that failed.
    """
    card = get_card(name)
    if card.tier is Tier.CURATED:
        raise InputError(f"{name} is a curated table that ships with hstore; there is nothing to pull")
    job = _Job(card, settings, trust_on_first_use)
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{settings.data_dir} cannot be made ({error.strerror}); set HSTORE_HOME to a folder you may write to"
        ) from error
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=settings.data_dir) as staging:
        results = [_collect(job, file, base, Path(staging)) for file in card.files]
        job.folder.mkdir(exist_ok=True)
        for staged in sorted(Path(staging).iterdir()):
            staged.replace(job.folder / staged.name)
    _record_trust(settings, job.newly_trusted)
    files = tuple(result for result in results if result is not None)
    return PullResult(name, job.folder, card.licence, files, tuple(job.warnings))


def _collect(job: _Job, file: DataFile, base: str | None, staging: Path) -> PulledFile | None:
    """Put one file into the staging folder unless the home folder has it; None for an absent optional one."""
    here = job.folder / file.path
    present = file_sha256(here) if here.is_file() else None
    source = _source(job, file, base, present)
    if source is None:
        if present in _acceptable(job, file):
            return PulledFile(file.path, str(present), "already here")
        if file.optional:
            return None
        raise DataError(f"data set {job.card.name!r} cannot be pulled from upstream: {how_to_get(job.card.name)}")
    if present is not None and present == source.expected:
        return PulledFile(file.path, present, "already here")
    try:
        received = _fetch(source, staging / file.path)
    except DataError as error:
        if not file.optional:
            raise
        job.warnings.append(f"optional file {file.path} was left out: {error}")
        return None
    if source.expected is None:
        job.newly_trusted[source.location] = received
        job.warnings.append(f"{source.location} was trusted on first use; its SHA-256 {received} is recorded")
    return PulledFile(file.path, received, source.location)


def _source(job: _Job, file: DataFile, base: str | None, present: str | None) -> _Source | None:
    """Choose where a file comes from; None when no source is known or needed."""
    name = job.card.name
    if base is not None:
        place = f"{base.rstrip('/')}/{name}/{file.path}"
        return _Source(place, file.sha256)
    mirror = job.settings.data_mirror
    if mirror is not None and (mirror / name / file.path).is_file():
        return _mirrored(job, file, mirror / name / file.path)
    if file.url is None or present in _acceptable(job, file):
        return None
    expected = file.url_sha256 or _trusted(job.settings).get(file.url)
    if expected is None and not job.trust:
        raise DataError(
            f"the checksum of {file.url} is not known, so it cannot be verified; set HSTORE_DATA_MIRROR to a "
            f"folder that holds {name}/, give --from URL_OR_FOLDER, or accept what comes and record its "
            "checksum with --trust-on-first-use"
        )
    return _Source(file.url, expected)


def _mirrored(job: _Job, file: DataFile, path: Path) -> _Source:
    """Take a file of the mirror as it is; a mirror may hold another part of the data than the card's."""
    actual = file_sha256(path)
    if actual != file.sha256:
        job.warnings.append(f"{path} has SHA-256 {actual}, the card states {file.sha256}: it is another copy")
    return _Source(str(path), actual)


def _acceptable(job: _Job, file: DataFile) -> set[str | None]:
    """Return the checksums with which a file in the home folder counts as already pulled."""
    known = {file.sha256, file.url_sha256, _trusted(job.settings).get(file.url or "")}
    return known - {None}


def _fetch(source: _Source, target: Path) -> str:
    """Copy or download one file, verify it, and return its checksum."""
    if source.location.startswith(("http://", "https://")):
        _download(source, target)
    else:
        _copy(source, target)
    return file_sha256(target)


def _copy(source: _Source, target: Path) -> None:
    try:
        shutil.copyfile(source.location, target)
    except OSError as error:
        raise DataError(f"{source.location} cannot be copied: {error.strerror}; check the folder") from error
    received = file_sha256(target)
    if source.expected not in {None, received}:
        target.unlink()
        raise DataError(
            f"{source.location} failed its checksum: expected SHA-256 {source.expected} but got {received}. "
            "Nothing was kept; get the copy that the card describes"
        )


def _download(source: _Source, target: Path) -> None:
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    known = None if source.expected is None else f"sha256:{source.expected}"
    fetcher = pooch.create(
        path=target.parent,
        base_url="",
        registry={target.name: known},
        urls={target.name: source.location},
        retry_if_failed=RETRIES,
    )
    try:
        fetcher.fetch(target.name, downloader=pooch.HTTPDownloader())
    except requests.exceptions.RequestException as error:
        raise DataError(
            f"{source.location} could not be downloaded in {RETRIES + 1} attempts: {error}; "
            "nothing was kept, check the address and the connection, then run the command again"
        ) from error
    except ValueError as error:  # pooch's class for a checksum that differs
        raise DataError(
            f"{source.location} failed its checksum: {error} "
            "Nothing was kept; get the copy that the card describes"
        ) from error


def _trusted(settings: Settings) -> dict[str, str]:
    """Read the checksums of files that were trusted on first use, by URL."""
    path = settings.data_dir / _TRUSTED
    if not path.is_file():
        return {}
    try:
        return {str(url): str(value) for url, value in json.loads(path.read_text(encoding="utf-8")).items()}
    except (ValueError, AttributeError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it to trust downloads anew") from error


def _record_trust(settings: Settings, new: dict[str, str]) -> None:
    if not new:
        return
    path = settings.data_dir / _TRUSTED
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps({**_trusted(settings), **new}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(path)

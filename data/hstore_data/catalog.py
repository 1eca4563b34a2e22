"""The data sets by name: their cards, and where their files are on this machine."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from hstore.errors import DataError, unknown_name
from hstore_data.card import Card, Tier, load_card

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hstore.settings import Settings

_BLOCK_BYTES = 1 << 20


@cache
def datasets() -> Mapping[str, Card]:
    """Return the card of every data set, curated and public, by name in alphabetical order."""
    folder = files("hstore_data") / "cards"
    sources = sorted((f for f in folder.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return MappingProxyType({card.name: card for card in map(load_card, sources)})


def get_card(name: str) -> Card:
    """Return the card of a data set.

    Raises:
        UnknownNameError: no such set; the message lists the close matches.
    """
    try:
        return datasets()[name]
    except KeyError:
        raise unknown_name("data set", name, datasets()) from None


def public_names() -> list[str]:
    """Return the names of the public sets, in alphabetical order."""
    return [name for name, card in datasets().items() if card.tier is Tier.PUBLIC]


def locate(name: str, settings: Settings) -> Path | None:
    """Find the folder that holds all files a reader of the public set needs.

    The mirror (``settings.data_mirror``) comes first, then the downloads in the home folder.

    Returns:
        The folder, or None when the set is in neither place.

    Raises:
        UnknownNameError: no such set.
        DataError: the set is a curated table, which is read from the package.
    """
    card = get_card(name)
    if card.tier is Tier.CURATED:
        raise DataError(f"{name} is a curated table inside the package; read it with hstore_data.curated")
    bases = [settings.data_mirror, settings.data_dir] if settings.data_mirror else [settings.data_dir]
    for base in bases:
        folder = base / name
        if all((folder / file.path).is_file() for file in card.required_files):
            return folder
    return None


def present(settings: Settings) -> list[str]:
    """Return the names of the public sets that can be read now, in alphabetical order."""
    return [name for name in public_names() if locate(name, settings) is not None]


def require(name: str, settings: Settings) -> Path:
    """Return the folder of a public set, or say how to get it.

    Raises:
        UnknownNameError: no such set.
        DataError: the set is not on this machine; the message says how to get it.
    """
    folder = locate(name, settings)
    if folder is not None:
        return folder
    places = [settings.data_dir / name]
    if settings.data_mirror:
        places.insert(0, settings.data_mirror / name)
    raise DataError(
        f"data set {name!r} is not on this machine (looked for "
        f"{', '.join(file.path for file in get_card(name).required_files)} in "
        f"{' and '.join(map(str, places))}); {how_to_get(name)}"
    )


def how_to_get(name: str) -> str:
    """Say in one sentence how a public set is obtained."""
    card = get_card(name)
    ways = (
        f"set HSTORE_DATA_MIRROR to a folder that holds {name}/, "
        f"or run: hstore data pull {name} --from URL_OR_FOLDER"
    )
    if card.can_be_pulled:
        pinned = all(file.url_sha256 for file in card.required_files)
        return f"run: hstore data pull {name}{'' if pinned else ' --trust-on-first-use'}; or {ways}"
    return f"{ways} ({card.obtain or 'upstream publishes it in another form'})"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 checksum of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()

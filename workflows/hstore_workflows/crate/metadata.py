"""The metadata of a crate in the words of RO-Crate 1.1 and of the Process Run Crate profile."""

from __future__ import annotations

import hashlib
import io
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import hstore
from hstore.errors import MissingExtraError
from hstore.licences import KNOWN, NOT_STATED, is_spdx
from hstore_data.catalog import get_card
from hstore_workflows.crate.preview import preview_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from hstore_data.card import Card
    from hstore_workflows.crate.author import Author
    from hstore_workflows.crate.content import About, Content, Made, Piece

_VERSION = "1.1"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_CITE_HSTORE = "hstore: screening of materials for hydrogen storage and solid electrolytes"
_DOI = "https://doi.org/"
_DOI_IN_TEXT = re.compile(r"10\.\d{4,9}/\S+")
_IN_DOI = "/():;.-_"  # stand in an address as they are


def rocrate() -> Any:
    """Return the package ``rocrate``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import rocrate.metadata
        import rocrate.rocrate as package
    except ImportError as error:
        raise MissingExtraError(
            "RO-Crates need the package rocrate, which is not installed; run: pip install 'hstore[crate]'"
        ) from error
    return package


def make_crate(content: Content, pieces: Iterable[Piece], about: About, authors: Sequence[Author]) -> Any:
    """Return a ``rocrate.rocrate.ROCrate`` with all files, ready to be written.

    Args:
        content: what it is about.
        pieces: its files.
        about: what hstore needs to take it in.
        authors: whom it is by.

    Raises:
        MissingExtraError: the package rocrate is not installed.
    """
    pieces = tuple(pieces)
    crate = _Maker(content, about).made(pieces, authors)
    crate.preview.source = io.BytesIO(preview_page(content, pieces, about, authors).encode())
    return crate


class _Maker:
    """A crate in the making: entities are added once, and referred to."""

    def __init__(self, content: Content, about: About) -> None:
        self._package = rocrate()
        self._content, self._about = content, about
        self._crate = self._package.ROCrate(version=_VERSION, gen_preview=True)
        self._crate.metadata.extra_terms["sha256"] = "https://schema.org/sha256"

    def made(self, pieces: tuple[Piece, ...], authors: Sequence[Author]) -> Any:
        files = {piece.path: self._file(piece) for piece in pieces}
        sets = [self._dataset(name) for name in self._content.datasets]
        root = self._crate.root_dataset
        root["name"] = self._content.title
        root["description"] = " ".join([self._content.description, *self._licence_words(), *self._content.notes])
        root["identifier"] = self._content.name
        root["datePublished"] = self._about.written_at.date().isoformat()
        root["keywords"] = ["hydrogen storage", "solid electrolytes", "materials screening", self._content.kind]
        root["license"] = _plain(self._whole())
        root["version"] = self._content.name
        if authors:
            root["author"] = _plain([self._person(author) for author in authors])
        software = self._software()
        root["citation"] = _plain([software, *self._cited()])
        if sets:
            root["isBasedOn"] = _plain(sets)
        if self._about.private_to:
            root["conditionsOfAccess"] = f"private to lab {self._about.private_to}"
        if self._content.made is not None:
            root["conformsTo"] = self._entity(_PROFILE, "CreativeWork", name="Process Run Crate", version="0.5")
            root["mentions"] = self._action(self._content.made, software, pieces, files, sets)
        else:
            root["mentions"] = software
        return self._crate

    def _file(self, piece: Piece) -> Any:
        properties = {
            "name": piece.name,
            "description": piece.licences.words(),
            "encodingFormat": piece.media_type,
            "contentSize": str(len(piece.data)),
            "sha256": hashlib.sha256(piece.data).hexdigest(),
            "license": _plain([{"@id": self._licence(name).id} for name in piece.licences.rows]),
        }
        return self._crate.add_file(io.BytesIO(piece.data), piece.path, properties=properties)

    def _whole(self) -> list[Any]:
        """Return the licence of the whole where one was chosen, else those of all rows."""
        chosen = [self._about.licence] if self._about.licence else list(self._content.licences.rows)
        return [self._licence(name) for name in chosen]

    def _licence_words(self) -> list[str]:
        rows = self._content.rows
        said = rows.words() if rows.is_mixed else f"Licence of its rows: {rows.words()}"
        chosen = self._about.licence
        return (
            [said, f"The collection as such is under {chosen}; every file states that of its rows."]
            if chosen
            else [said]
        )

    def _licence(self, name: str) -> Any:
        if name == NOT_STATED:
            said = "The source states no licence; ask it before passing this on."
            return self._entity("#licence-not-stated", "CreativeWork", name=NOT_STATED, description=said)
        if name in KNOWN:
            return self._entity(
                KNOWN[name].url, "CreativeWork", name=name, description=f"SPDX identifier {name}", identifier=name
            )
        if is_spdx(name) and " " not in name:
            address = f"https://spdx.org/licenses/{name}"
            return self._entity(address, "CreativeWork", name=name, description=f"SPDX identifier {name}")
        return self._entity(
            f"#licence-{quote(name, safe='')}", "CreativeWork", name=name, description="In words of the source"
        )

    def _dataset(self, name: str) -> Any:
        card = get_card(name)
        known = {"url": card.upstream, "version": card.commit, "dateModified": card.retrieved.isoformat()}
        return self._entity(
            f"#data-{name}",
            "Dataset",
            name=card.title,
            description=f"{card.description} Licence: {card.licence}.",
            license=self._licence(card.row_licence),
            citation=_plain(self._citations(name)),
            subjectOf=self._crate.dereference(f"data/{name}.json"),
            **{key: value for key, value in known.items() if value},
        )

    def _citations(self, name: str) -> list[Any]:
        """Return what is to be cited for a data set: its article, and those its card names as sources."""
        articles = cited_articles(get_card(name))
        if not articles:
            words = get_card(name).citation or f"{get_card(name).title}, shipped with hstore"
            return [self._entity(f"#cite-{name}", "CreativeWork", name=words)]
        return [
            self._entity(
                f"{_DOI}{quote(doi, safe=_IN_DOI)}", "ScholarlyArticle", name=words, identifier=f"doi:{doi}"
            )
            for doi, words in articles.items()
        ]

    def _cited(self) -> list[Any]:
        found = {cited.id: cited for name in self._content.datasets for cited in self._citations(name)}
        return list(found.values())

    def _person(self, author: Author) -> Any:
        return self._entity(author.identifier, "Person", name=author.name)

    def _software(self) -> Any:
        libraries = [
            self._entity(_package_url(name, version), "SoftwareApplication", name=name, softwareVersion=version)
            for name, version in sorted(self._content.versions.items())
            if name != "hstore"
        ]
        return self._entity(
            "#hstore",
            "SoftwareApplication",
            name="hstore",
            description=_CITE_HSTORE,
            softwareVersion=self._content.versions.get("hstore", hstore.__version__),
            license=self._licence("Apache-2.0"),
            **({"softwareRequirements": libraries} if libraries else {}),
        )

    def _action(
        self, made: Made, software: Any, pieces: tuple[Piece, ...], files: dict[str, Any], sets: list[Any]
    ) -> Any:
        def of(role: str) -> list[Any]:
            return [files[piece.path] for piece in pieces if piece.role == role]

        return self._entity(
            "#made",
            "CreateAction",
            name=made.name,
            description=made.command,
            endTime=made.ended,
            actionStatus="http://schema.org/CompletedActionStatus",
            instrument=software,
            object=_plain([*of("object"), *sets]),
            result=_plain(of("result")),
        )

    def _entity(self, identifier: str, kind: str, /, **properties: Any) -> Any:
        held = self._crate.dereference(identifier)
        if held is not None:
            return held
        entity = self._package.ContextEntity(self._crate, identifier, properties={"@type": kind})
        for name, value in properties.items():
            entity[name] = value
        return self._crate.add(entity)


def cited_articles(card: Card) -> dict[str, str]:
    """Return DOI -> words, of the article of a data set and of those that its sources name."""
    found = {doi: card.citation or f"doi:{doi}" for doi in card.doi}
    for source in card.sources:
        for match in _DOI_IN_TEXT.findall(source):
            doi = match.rstrip(".,;")
            found.setdefault(doi.rstrip(")") if doi.count(")") > doi.count("(") else doi, source)
    return found


def _plain(values: list[Any]) -> Any:
    """Return a list of one as that one, as RO-Crate asks for."""
    return values[0] if len(values) == 1 else values


def _package_url(name: str, version: str) -> str:
    """Return the package URL of a library, or of the interpreter."""
    return f"pkg:{'generic' if name == 'python' else 'pypi'}/{quote(name.lower())}@{quote(version)}"


def entities_of(path: Path) -> dict[str, dict[str, Any]]:
    """Read the entities of a metadata file, by identifier; the root stands under ``./``.

    Raises:
        ValueError: it is no metadata file of an RO-Crate.
        MissingExtraError: the package rocrate is not installed.
    """
    rocrate()
    from rocrate.metadata import find_root_entity_id, read_metadata

    try:
        _, found = read_metadata(path)
        _, root = find_root_entity_id(found)
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it holds no JSON-LD of an RO-Crate ({error})") from error
    return {("./" if name == root else name): dict(entity) for name, entity in found.items()}

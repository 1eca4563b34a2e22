"""What is in a crate: files and checksums, licences, who and when, what it cites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore.licences import NOT_STATED, Mix
from hstore_workflows.crate.content import METADATA

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_workflows.crate.content import About
    from hstore_workflows.crate.reading import ReadCrate


_SHOWN = 8
"""Citations named in words."""


def crate_record(crate: ReadCrate) -> dict[str, Any]:
    """Return what is in an open crate for a program."""
    root, about = crate.root, crate.about
    files = [_file(crate, name) for name in sorted(crate.sha256)]
    return {
        **written_record(about),
        "title": root.get("name", ""),
        "description": root.get("description", ""),
        "published": root.get("datePublished", ""),
        "authors": [
            {"name": one.get("name", ""), "id": one.get("@id", "")} for one in crate.named(root.get("author"))
        ],
        "licence": [str(one.get("name", one.get("@id", ""))) for one in crate.named(root.get("license"))],
        "checksums": {"algorithm": "SHA-256", "files": len(files), "as_stated": True},
        "files": files,
        "data_sets": [_data_set(crate, one) for one in crate.named(root.get("isBasedOn"))],
        "cites": [_cited(one) for one in crate.named(root.get("citation"))],
        "software": _software(crate),
    }


def written_record(about: About) -> dict[str, Any]:
    """Return what a crate is about for a program."""
    return {
        "kind": about.kind,
        "name": about.name,
        "hstore": about.hstore,
        "written_at": about.written_at.isoformat(),
        "private_to": about.private_to,
        "models": list(about.models),
        "row_licences": about.licences,
        "mixed": len(about.licences) > 1,
        "notes": list(about.notes),
    }


def crate_words(record: Mapping[str, Any]) -> str:
    """Say what is in a crate, from :func:`crate_record`, for a terminal."""
    by = ", ".join(
        f"{one['name']} ({one['id']})" if "orcid" in one["id"] else one["name"] for one in record["authors"]
    )
    lines = [
        record["title"],
        f"  {record['kind']} {record['name']}, written {record['written_at']} by hstore {record['hstore']}",
        f"  authors    {by or 'not stated'}",
        f"  licence    {', '.join(record['licence'])}",
    ]
    if record["private_to"]:
        lines.append(f"  private    to lab {record['private_to']}, where it is imported too")
    count = record["checksums"]["files"]
    lines += [f"  {record['description']}", f"  {count} files, every one as its SHA-256 says:"]
    width = max(len(file["name"]) for file in record["files"])
    lines += [
        f"    {file['name']:<{width}} {file['bytes']:>12,}  {', '.join(file['licences']) or '-'}"
        for file in record["files"]
    ]
    lines += [f"  data set   {one['name']}: {one['licence']}" for one in record["data_sets"]]
    lines += _cites(record)
    return "\n".join(lines)


def written_words(about: About, mix: Mix, out: object, size_bytes: int) -> str:
    """Say what was written, in a few lines."""
    lines = [f"{out}: {about.kind} {about.name}, {size_bytes:,} bytes", f"  licences   {mix.words()}"]
    if about.licence:
        lines.append(f"  the whole  {about.licence}")
    if about.private_to:
        lines.append(f"  private    to lab {about.private_to}; the crate says so")
    return "\n".join([*lines, *(f"  note       {note}" for note in about.notes)])


def _cites(record: Mapping[str, Any]) -> list[str]:
    shown = [
        f"  cites      {one['name']}{': ' + one['id'] if one['id'].startswith('http') else ''}"
        for one in record["cites"][:_SHOWN]
    ]
    more = len(record["cites"]) - len(shown)
    return [*shown, *([f"  cites      {more} more articles; --json lists them"] if more else [])]


def _file(crate: ReadCrate, name: str) -> dict[str, Any]:
    entity = crate.entities.get(name, {})
    stated = name != METADATA and "license" in entity
    licences = [str(one.get("name", NOT_STATED)) for one in crate.named(entity["license"])] if stated else []
    size = (crate.folder / name).stat().st_size
    words = entity.get("name", "")
    return {"name": name, "bytes": size, "sha256": crate.sha256[name], "licences": licences, "words": words}


def _data_set(crate: ReadCrate, entity: Mapping[str, Any]) -> dict[str, str]:
    licences = ", ".join(str(one.get("name", "")) for one in crate.named(entity.get("license")))
    return {
        "name": str(entity.get("name", "")),
        "id": str(entity.get("@id", "")),
        "licence": licences or NOT_STATED,
    }


def _cited(entity: Mapping[str, Any]) -> dict[str, str]:
    name = str(entity.get("name", ""))
    if "softwareVersion" in entity:
        name = f"{entity.get('description', name)}, {entity['softwareVersion']}"
    return {"name": name, "id": str(entity.get("@id", ""))}


def _software(crate: ReadCrate) -> dict[str, str]:
    return {
        str(entity.get("name", "")): str(entity.get("softwareVersion", ""))
        for entity in crate.entities.values()
        if entity.get("@type") == "SoftwareApplication"
    }

"""Crates taken apart and put together again, for tests that alter them."""

from __future__ import annotations

import hashlib
import json
import zipfile

CHECKSUMS, METADATA = "checksums.sha256", "ro-crate-metadata.json"


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def resealed(members, **changed):
    """Members with other content and checksums that fit, as somebody would make who means harm."""
    found = dict(members) | changed
    graph = json.loads(found[METADATA])
    for entity in graph["@graph"]:
        if entity["@id"] in found and "sha256" in entity:
            content = found[entity["@id"]]
            entity |= {"sha256": hashlib.sha256(content).hexdigest(), "contentSize": str(len(content))}
    found[METADATA] = json.dumps(graph).encode()
    names = sorted(found.keys() - {CHECKSUMS})
    lines = [f"{hashlib.sha256(found[name]).hexdigest()}  {name}\n" for name in names]
    return found | {CHECKSUMS: "".join(lines).encode()}


def entities_of(path):
    graph = json.loads(members_of(path)[METADATA])["@graph"]
    return {entity["@id"]: entity for entity in graph}


def tree(folder):
    """Every file below a folder with its checksum; none where there is no folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

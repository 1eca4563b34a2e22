"""Which reader a file gets, by its name."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePosixPath


class Kind(StrEnum):
    """Kinds of files with structures or formulas."""

    CIF = "CIF"
    MAGNETIC_CIF = "mCIF"
    POSCAR = "POSCAR"
    XYZ = "extended XYZ"
    ASE_DATABASE = "ASE database"
    JSON = "JSON"
    JSON_LINES = "JSON lines"
    TABLE = "table"
    ZIP = "zip archive"
    TAR = "tar archive"


ARCHIVES = frozenset({Kind.ZIP, Kind.TAR})
COLLECTIONS = frozenset({Kind.XYZ, Kind.ASE_DATABASE, Kind.JSON_LINES, Kind.TABLE})
"""Kinds with many entries, read piece by piece; such a file may be much larger than one structure."""

READ = (
    ".cif, .vasp, POSCAR*, CONTCAR*, .xyz, .extxyz, .json, .jsonl (all also with .gz), .db, .csv, .csv.gz, "
    ".parquet, .zip, .tar, .tar.gz, .tar.bz2, .tar.xz"
)
"""Names that are read, for messages."""

_BY_SUFFIX = {
    ".cif": Kind.CIF,
    ".mcif": Kind.MAGNETIC_CIF,
    ".vasp": Kind.POSCAR,
    ".poscar": Kind.POSCAR,
    ".contcar": Kind.POSCAR,
    ".xyz": Kind.XYZ,
    ".extxyz": Kind.XYZ,
    ".db": Kind.ASE_DATABASE,
    ".json": Kind.JSON,
    ".jsonl": Kind.JSON_LINES,
    ".ndjson": Kind.JSON_LINES,
    ".csv": Kind.TABLE,
    ".parquet": Kind.TABLE,
    ".zip": Kind.ZIP,
    ".tar": Kind.TAR,
}
_TAR = re.compile(r"\.(?:tar\.(?:gz|bz2|xz)|tgz|tbz2?|txz)\Z")
_POSCAR = re.compile(r"(?:poscar|contcar)(?:[._-].*)?\Z")
_ENDING = re.compile(r"(?:\.tar)?\.[A-Za-z0-9]{1,8}(?:\.gz)?\Z")


def kind_of(name: str) -> Kind | None:
    """Return the kind of a file by its name; None for files that are not read."""
    base = PurePosixPath(name).name.lower()
    if _TAR.search(base):
        return Kind.TAR
    base = base.removesuffix(".gz")
    known = _BY_SUFFIX.get(PurePosixPath(base).suffix)
    if known is not None:
        return known
    return Kind.POSCAR if _POSCAR.match(base) else None


def is_gzipped(name: str) -> bool:
    """Tell whether the content of a file that is no archive is compressed by gzip, by its name."""
    return name.lower().endswith(".gz")


def stem_of(name: str) -> str:
    """Return the last part of a name without the ending that tells its kind."""
    base = PurePosixPath(name).name
    return _ENDING.sub("", base) or base

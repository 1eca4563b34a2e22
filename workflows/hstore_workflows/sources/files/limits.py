"""How much a file or archive may ask for."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hstore.errors import InputError


@dataclass(frozen=True)
class ReadLimits:
    """Limits within which files are read; what is beyond is rejected with the cause, and the rest goes on."""

    file_mib: int = 50
    """Largest structure file, unpacked, MiB."""
    collection_mib: int = 4096
    """Largest file with many entries (XYZ, JSON lines, ASE database, table) on disk, MiB."""
    sites: int = 5000
    """Largest number of positions in a cell."""
    seconds: float = 8.0
    """Longest time for one file, or one piece of a file with many entries, seconds."""
    memory_mib: int = 1536
    """Memory a reading process may take beyond its libraries, MiB."""
    archive_members: int = 300_000
    """Most members of an archive."""
    archive_mib: int = 16_384
    """Largest content of an archive, unpacked, MiB."""
    archive_ratio: int = 250
    """Largest ratio of unpacked to packed size of an archive, beyond the first 64 MiB; text has about ten."""

    def __post_init__(self) -> None:
        """Refuse limits that no file could meet."""
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise InputError(f"{field.name} must be above 0, got {getattr(self, field.name)}")

"""In which form an answer goes out: what the caller accepts, and tables as CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

from hstore_api.errors import NotAcceptableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from hstore.licences import Mix

JSON, CSV, PARQUET = "application/json", "text/csv; charset=utf-8", "application/vnd.apache.parquet"

TABLE_TYPES: Mapping[str, str] = {"json": JSON, "csv": CSV, "parquet": PARQUET}
"""Media type of each form a list can have; the first is given to whoever accepts anything."""

LICENCE_HEADER = "X-Licences"
"""Header of a table: each licence of its rows with their number, such as ``CC-BY-4.0=40; not stated=2``."""

MIXED_HEADER = "X-Licences-Mixed"
"""Header of a table: whether its rows are under more than one licence, or some state none."""

LICENCE_METADATA = "hstore.licences"
"""Key of the metadata of a Parquet file with the same, and with what the licences ask for in words."""

_COMMANDS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What begins a formula in a spreadsheet; the wide forms do where a Japanese keyboard writes them."""
_WEIGHT = re.compile(r"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")


def chosen_form(accept: str | None, asked: str | None, offered: Mapping[str, str]) -> str:
    """Return the name of the form to answer in.

    Args:
        accept: header ``Accept``; of forms it likes alike, the first offered is taken.
        asked: name the caller chose with ``format``, which the header does not overrule.
        offered: media type of each form, by name.

    Raises:
        NotAcceptableError: the caller accepts none of them.
    """
    if asked is not None:
        return asked
    if not accept:
        return next(iter(offered))
    likes = list(_accepted(accept))
    weights = {name: _weight(likes, media.partition(";")[0]) for name, media in offered.items()}
    best = max(weights, key=weights.__getitem__)
    if weights[best] <= 0:
        forms = ", ".join(media.partition(";")[0] for media in offered.values())
        raise NotAcceptableError(f"this can be had as {forms}; send one of them as Accept, got {accept!r}")
    return best


def declared(offered: Mapping[str, str], description: str) -> dict[int | str, dict[str, Any]]:
    """Declare the forms beside JSON for the contract."""
    others = (media.partition(";")[0] for name, media in offered.items() if name != "json")
    content = {
        media: {"schema": {"type": "string"} | ({} if media.startswith("text/") else {"format": "binary"})}
        for media in others
    }
    return {200: {"description": description, "content": content}}


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, header: bool = True) -> bytes:
    """Write rows as CSV: missing values empty, text that a spreadsheet would run made inert."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    if header:
        writer.writerow(map(inert, columns))
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    return stream.getvalue().encode()


def inert(text: str) -> str:
    """Return text with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_COMMANDS) else text


def stream_csv(columns: Sequence[str], chunks: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[bytes]:
    """Yield chunks of rows as one CSV."""
    yield csv_text(columns, ())
    for chunk in chunks:
        yield csv_text(columns, chunk, header=False)


def parquet_bytes(schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Write rows as Parquet."""
    return b"".join(stream_parquet(schema, [rows]))


def stream_parquet(schema: pa.Schema, chunks: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[bytes]:
    """Yield chunks of rows as one Parquet file, a row group each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = _Sink()
    with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), schema) as writer:
        for chunk in chunks:
            writer.write_table(pa.Table.from_pylist([dict(row) for row in chunk], schema=schema))
            yield sink.taken()
    yield sink.taken()


def schema_of(columns: Mapping[str, type], licences: Mix) -> pa.Schema:
    """Return the schema of a table from the type of each column: text, numbers or flags.

    Its metadata state the licences of the rows (:data:`LICENCE_METADATA`, JSON).
    """
    import pyarrow as pa

    types = {str: pa.string(), float: pa.float64(), int: pa.int64(), bool: pa.bool_()}
    said = {LICENCE_METADATA: json.dumps(licences.record(), ensure_ascii=False)}
    return pa.schema([pa.field(name, types[kind]) for name, kind in columns.items()], metadata=said)


def licence_headers(licences: Mix) -> dict[str, str]:
    """Return the headers of a table that state the licences of its rows, and whether they are mixed."""
    return {LICENCE_HEADER: licences.header(), MIXED_HEADER: "true" if licences.is_mixed else "false"}


class _Sink(io.RawIOBase):
    """What a writer of files writes into, and a sender takes out of piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        """Say so."""
        return True

    def write(self, data: Any) -> int:
        """Hold what is written."""
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        """Return what is held, and hold it no longer."""
        held = bytes(self._held)
        self._held.clear()
        return held


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _accepted(header: str) -> Iterator[tuple[str, float]]:
    """Yield the media ranges of a header ``Accept`` with their weights; what cannot be read weighs nothing."""
    for part in header.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = float(value) if _WEIGHT.match(value.strip()) else 0.0
        yield media, weight


def _weight(likes: Sequence[tuple[str, float]], media: str) -> float:
    """Return the weight of a media type: that of the range which names it most exactly."""
    kind = media.partition("/")[0]
    for wanted in (media, f"{kind}/*", "*/*"):
        found = [weight for name, weight in likes if name == wanted]
        if found:
            return max(found)
    return 0.0

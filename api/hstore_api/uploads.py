"""Bodies of which there may be several kinds at one address: JSON by the contract, or a table as CSV."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Generic, TypeVar

from fastapi import Request  # noqa: TC002 - FastAPI reads annotations
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

Model = TypeVar("Model", bound=BaseModel)

FILE_FIELD = "file"
"""Field of a form that holds the table."""

_IN_MEMORY_BYTES = 1_000_000
_CHUNK_BYTES = 65_536
_JSON, _CSV, _FORM = "application/json", "text/csv", "multipart/form-data"


@dataclass(frozen=True)
class Sent(Generic[Model]):
    """What a request sent: one of the two."""

    model: Model | None = None
    """The JSON, as the contract says."""
    table: IO[bytes] | None = None
    """The CSV."""

    def digest(self) -> bytes:
        """Return a hash of the table, by which a repeated request is known."""
        assert self.table is not None
        self.table.seek(0)
        return hashlib.file_digest(self.table, "sha256").digest()  # type: ignore[arg-type] # a spooled file is one


def sent(model: type[Model]) -> Callable[[Request], AsyncIterator[Sent[Model]]]:
    """Make the dependency that reads JSON of a model, a CSV, or a form with a CSV in the field ``file``.

    It goes after the caller among the parameters of a handler, so that nothing is received from those who may not.
    """

    async def read(request: Request) -> AsyncIterator[Sent[Model]]:
        media = request.headers.get("Content-Type", _JSON).partition(";")[0].strip().lower()
        if media == _JSON or media.endswith("+json"):
            yield Sent(model=_validated(model, await request.body()))
        elif media == _CSV:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as table:
                async for chunk in request.stream():
                    table.write(chunk)
                yield Sent(table=table)
        elif media == _FORM:
            async with request.form(max_files=1, max_fields=1) as form:
                given = form.get(FILE_FIELD)
                if not isinstance(given, UploadFile):
                    raise RequestValidationError(
                        [
                            {
                                "loc": ("body", FILE_FIELD),
                                "msg": "Field required: the table as a file",
                                "type": "missing",
                            }
                        ]
                    )
                yield Sent(table=given.file)
        else:
            raise HTTPException(415, f"send {_JSON}, {_CSV} or {_FORM}; got {media!r}")

    return read


def accepts(model: type[BaseModel], example: str) -> dict[str, Any]:
    """Describe, for the contract, the bodies that :func:`sent` reads.

    Args:
        model: of the JSON.
        example: a small table.
    """
    table = {"type": "string", "description": "A table in UTF-8 with commas and a header line."}
    form = {
        "type": "object",
        "properties": {FILE_FIELD: {"type": "string", "format": "binary", "description": "The table."}},
        "required": [FILE_FIELD],
    }
    content = {
        _JSON: {"schema": _inlined(model)},
        _CSV: {"schema": table, "example": example},
        _FORM: {"schema": form},
    }
    return {"requestBody": {"required": True, "content": content}}


def _validated(model: type[Model], body: bytes) -> Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise HTTPException(400, "the body cannot be read; send JSON in UTF-8") from error
        raise RequestValidationError([{**part, "loc": ("body", *part["loc"])} for part in found]) from error


def _inlined(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema of a model with its parts in place: a contract has no room for definitions inside."""
    whole = model.model_json_schema()
    parts = whole.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        name = str(node.get("$ref", "")).rpartition("/")[2]
        merged = {**parts.get(name, {}), **{key: value for key, value in node.items() if key != "$ref"}}
        return {key: resolved(value) for key, value in merged.items()}

    found: dict[str, Any] = resolved(whole)
    return found

"""Bytes of structure files as text, whatever wrote them."""

from __future__ import annotations

import codecs

from hstore.errors import InputError

_SAMPLE = 8192
_CONTROL = bytes(set(range(32)) - {9, 10, 11, 12, 13, 26})
_MOST_CONTROL_SHARE = 0.01
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decoded(data: bytes) -> str:
    """Decode a text file: UTF-8, UTF-16 or UTF-32 by its mark, else UTF-8, else Latin-1.

    Raises:
        InputError: it is binary, or damaged under its mark.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise InputError(f"it is marked as {encoding} but cannot be decoded; save it as UTF-8") from error
    sample = data[:_SAMPLE]
    if b"\0" in data or len(sample) - len(sample.translate(None, _CONTROL)) > _MOST_CONTROL_SHARE * len(sample):
        raise InputError("it is binary, not text; give the structure as a text file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")

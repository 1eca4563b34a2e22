"""Write a target as TOML, as ``hstore screen`` reads it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def toml_text(content: Mapping[str, Any], heading: str = "") -> str:
    """Write text, numbers, flags, lists and tables of these as TOML; what is None is left out.

    Args:
        content: key -> value; keys are bare keys of TOML.
        heading: name of the table that it is; empty for the whole.
    """
    given = {key: value for key, value in content.items() if value is not None}
    lines = [f"{key} = {_value(value)}" for key, value in given.items() if not isinstance(value, dict)]
    text = "".join(f"{line}\n" for line in ([f"[{heading}]"] if heading else []) + lines)
    tables = [
        toml_text(value, f"{heading}.{key}" if heading else key)
        for key, value in given.items()
        if isinstance(value, dict)
    ]
    return "\n".join([text, *tables])


def _value(value: Any) -> str:
    """Write a value; strings and lists of JSON are those of TOML."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

"""The page of settings: name, environment variable, default and meaning, from the class that reads them."""

from __future__ import annotations

import re
from typing import Any

from hstore.settings import Settings

_DEFAULT_WORDS = {"home": "the user's data folder for hstore"}
"""Defaults that depend on the machine."""


def pages() -> dict[str, str]:
    """Return the page."""
    rows = "\n".join(
        f"| (setting-{name.replace('_', '-')})=`{name}` | `HSTORE_{name.upper()}` | {_default(name, field)} "
        f"| {text_of(field.description)} |"
        for name, field in Settings.model_fields.items()
    )
    text = f"""# Settings

Each is a line of `hstore.toml` in the working directory (or of the file that `HSTORE_CONFIG` names), or an
environment variable; the environment wins over the file, an option of a command over both. A value that is not
allowed is refused with what is; keys and passwords are never printed.

```toml
home = "hydrogen/hstore"
seed = 7
```

| name | environment | default | meaning |
|---|---|---|---|
{rows}
"""
    return {"settings.md": text}


def text_of(description: str | None) -> str:
    """Return a docstring as text of one cell of a table."""
    words = re.sub(r"``([^`]+)``", r"`\1`", description or "")
    return re.sub(r"\s+", " ", words).replace("|", "\\|")


def _default(name: str, field: Any) -> str:
    if name in _DEFAULT_WORDS:
        return _DEFAULT_WORDS[name]
    default = field.get_default(call_default_factory=True)
    return (
        "none"
        if default is None or default == ()
        else f"`{str(default).lower() if isinstance(default, bool) else default}`"
    )

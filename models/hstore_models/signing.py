"""Signatures of model cards: a model that was changed after it was saved is not believed, whatever its card says.

Checksums tell an accident from a whole file; they do not stop someone who writes new checksums. So the card that
holds them is signed (HMAC-SHA256, RFC 2104) with a key that stays beside the models, readable by its owner alone.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hstore.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY_FILE = "registry.key"
"""Name of the key file in the folder of the registry."""

_KEY_BYTES = 32


def make_key(folder: Path) -> bytes:
    """Return the key of a registry, made at first use with mode 0600.

    Args:
        folder: folder of the registry; made if needed.

    Raises:
        ModelError: there is a key file, but it holds no key.
    """
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{KEY_FILE}-", dir=folder)  # mode 0600 from the start
        try:
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                stream.write(secrets.token_hex(_KEY_BYTES) + "\n")
            os.link(name, path)  # whole or not at all, and the first of two processes wins
        except FileExistsError:
            pass
        finally:
            Path(name).unlink()
    return read_key(folder)


def read_key(folder: Path) -> bytes:
    """Return the key of a registry.

    Raises:
        ModelError: there is no key, or the file holds none.
    """
    path = folder / KEY_FILE
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        raise ModelError(
            f"key {path} is missing, so no model there can be checked; put the key back, or retrain with: "
            "hstore train --all"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"key {path} cannot be read ({error}); {_NEW_KEY}") from error
    if not re.fullmatch(rf"[0-9a-f]{{{2 * _KEY_BYTES}}}", text):
        raise ModelError(f"key {path} must hold {2 * _KEY_BYTES} hexadecimal digits and does not; {_NEW_KEY}")
    return bytes.fromhex(text)


_NEW_KEY = "put the key back, or delete the file and retrain with: hstore train --all"


def signature(content: Mapping[str, Any], key: bytes) -> str:
    """Return the signature of a card as read from JSON, its own signature left out of account."""
    signed = {name: value for name, value in content.items() if name != "signature"}
    text = json.dumps(signed, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def is_signed(content: Mapping[str, Any], key: bytes) -> bool:
    """Tell whether a card as read from JSON carries the signature of this key."""
    found = str(content.get("signature", ""))
    return hmac.compare_digest(found.encode(), signature(content, key).encode())

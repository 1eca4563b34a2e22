"""The one error tree of hstore.

Every message says what was given, what is allowed and what to do next.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class HstoreError(Exception):
    """Base class of every error that hstore raises on purpose."""


class InputError(HstoreError, ValueError):
    """A value, row or file given by the user cannot be used."""


class FormulaError(InputError):
    """A chemical formula cannot be read as amounts of known elements."""


class UnknownNameError(InputError, LookupError):
    """A name (property, target, data set, model) is not one that hstore knows."""


class MissingExtraError(HstoreError, ImportError):
    """A feature needs an optional package that is not installed."""


class LeakError(InputError):
    """Training rows nearly repeat rows that are to be scored, so the score would say nothing of new materials."""


class DataError(HstoreError):
    """A data set is missing, damaged or not in the layout its card states."""


class ModelError(HstoreError):
    """A model is missing, damaged or does not fit the data it is asked to predict."""


class StoreError(HstoreError):
    """The result store cannot be opened, migrated or written."""


class FetchError(HstoreError):
    """A remote source failed, or delivered other than it announced."""


class SettingsError(HstoreError, ValueError):
    """A setting has a value that is not allowed."""


def unknown_name(kind: str, given: str, allowed: Iterable[str]) -> UnknownNameError:
    """Build the error for an unknown name, listing the close matches first.

    Args:
        kind: what the name stands for, such as ``"property"``.
        given: the name as the user wrote it.
        allowed: all names that would have been accepted.

    Returns:
        The error, ready to be raised.
    """
    names = sorted(allowed)
    close = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(n) for n in close)}? " if close else ""
    return UnknownNameError(f"unknown {kind} {given!r}; {hint}known: {', '.join(names)}")

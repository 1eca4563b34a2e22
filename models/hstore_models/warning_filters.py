"""Keep the warning filters of the process whole while scikit-learn works in threads."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEFAULT = ("default", None, Warning, None, 0)
"""What Python does without any filter; scikit-learn takes an empty list for a fault of the caller's."""


class _NeverEmpty(list[Any]):
    """A list of filters that cannot be emptied, and whose copies cannot."""

    def __setitem__(self, *_: Any) -> None: ...

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _NeverEmpty(found) if isinstance(place, slice) else found


class _Fixed(_NeverEmpty):
    """A list of filters that stays as it is, whatever a thread does to it in the belief that it is a copy."""

    def insert(self, *_: Any) -> None: ...

    def append(self, *_: Any) -> None: ...

    def remove(self, *_: Any) -> None: ...


@contextmanager
def steady_filters() -> Iterator[None]:
    """Let estimators of scikit-learn run in threads without losing the warning filters of the process.

    Each task of its ``Parallel`` saves, empties, refills and restores the one list of the process (before
    Python 3.14). Two tasks at once may empty the list that was to be restored, and scikit-learn then warns that
    its own ``delayed`` is used without its ``Parallel``. Here they find a list that cannot be emptied, nor can the
    copies that threads leave to one another, and the list from before is put back at the end.
    """
    with warnings.catch_warnings():
        warnings.filters = _Fixed(warnings.filters or [_DEFAULT])
        yield

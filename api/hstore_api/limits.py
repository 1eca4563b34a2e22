"""How much a caller may ask for: requests in a minute, and predictions in a day.

Requests are counted in the memory of each process, over a moving minute. Of several processes each grants its
share, so that together they grant the limit; a caller whose requests all reach one process gets that share only.
Predictions are counted in the store, for all processes together, by days of UTC.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.concurrency import run_in_threadpool

from hstore.keys import hash_of
from hstore_api.errors import LimitError

if TYPE_CHECKING:
    from hstore.keys import ApiKey
    from hstore.settings import Settings
    from hstore.store import Store
    from hstore_api.access import Caller

FAILURES_PER_MINUTE = 30
"""Keys that are not known which an address may try in production."""

PREDICTIONS = "predictions"
"""Name of the quota of predicted rows."""

_WINDOW_S = 60
_DAY_S = 86_400
_MOST_COUNTED = 100_000
_MOST_PROVEN = 10_000
_MOST_KEY_CHARACTERS = 200


@dataclass(frozen=True)
class Rate:
    """Where a caller stands in this minute."""

    limit: int
    """Requests it may make in a minute, of this process."""
    left: int
    """Requests left of them."""
    reset_s: int
    """Time after which the oldest request no longer counts, s."""


class RequestLimits:
    """The requests of the last minute, by key and by address."""

    def __init__(self, settings: Settings) -> None:
        self._per_minute = settings.rate_per_minute
        self._failures = FAILURES_PER_MINUTE if settings.environment == "production" else None
        self._processes = settings.processes
        self._storage = MemoryStorage()
        self._window = MovingWindowRateLimiter(self._storage)
        self._proven: OrderedDict[tuple[str, str], None] = OrderedDict()

    def take(self, key: ApiKey | None, address: str) -> Rate | None:
        """Count a request of a key, or of an address without one.

        Returns:
            Where the caller stands; None where it has no limit.

        Raises:
            LimitError: it has made as many as it may.
        """
        own = key.requests_per_minute if key else None
        per_minute = own if own is not None else self._per_minute
        if per_minute is None:
            return None
        item = self._share(per_minute)
        name = f"key {key.key_id}" if key else f"address {network_of(address)}"
        self._bound()
        if self._window.hit(item, name):
            return self._rate(item, name)
        raise LimitError(
            f"more than {per_minute} requests in a minute; wait until the header Retry-After says",
            retry_after_s=self._rate(item, name).reset_s,
        )

    async def find_key(self, given: str, address: str, store: Store) -> ApiKey | None:
        """Return the key that a caller sent; None where it cannot be used.

        Raises:
            LimitError: too many keys from the address were wrong, so that this one is not looked at.
        """
        self.check_guess(given, address)
        plausible = len(given) <= _MOST_KEY_CHARACTERS
        key = await run_in_threadpool(store.keys.find, given) if plausible else None
        self.note_guess(given, address, right=key is not None)
        return key

    def check_guess(self, key: str, address: str) -> None:
        """Refuse to look at a key where its address has sent too many wrong ones.

        A key that was right before, from the same address, is looked at all the same: who guesses must not keep
        a neighbour out.

        Raises:
            LimitError: it has.
        """
        if self._failures is None or (address, hash_of(key)) in self._proven:
            return
        item, name = self._share(self._failures), f"failures {network_of(address)}"
        if not self._window.test(item, name):
            raise LimitError(
                "too many keys from this address were unknown, expired or revoked; wait until the header "
                "Retry-After says, and correct the key",
                retry_after_s=self._rate(item, name).reset_s,
            )

    def note_guess(self, key: str, address: str, *, right: bool) -> None:
        """Remember whether a key was right."""
        if self._failures is None:
            return
        if right:
            self._proven[address, hash_of(key)] = None
            self._proven.move_to_end((address, hash_of(key)))
            if len(self._proven) > _MOST_PROVEN:
                self._proven.popitem(last=False)
            return
        self._bound()
        self._window.hit(self._share(self._failures), f"failures {network_of(address)}")

    def _share(self, per_minute: int) -> RateLimitItemPerMinute:
        return RateLimitItemPerMinute(math.ceil(per_minute / self._processes))

    def _rate(self, item: RateLimitItemPerMinute, name: str) -> Rate:
        reset_at, left = self._window.get_window_stats(item, name)
        return Rate(item.amount, max(left, 0), min(_WINDOW_S, max(1, math.ceil(reset_at - time.time()))))

    def _bound(self) -> None:
        """Begin anew when very many callers are counted; the storage forgets requests, but no names."""
        if len(self._storage.events) > _MOST_COUNTED:
            self._storage.reset()


def take_predictions(store: Store, caller: Caller, n: int) -> int | None:
    """Take rows to be predicted from the daily quota of a key, before predicting them.

    Returns:
        What is left of it; None where the caller has no quota.

    Raises:
        LimitError: the quota does not suffice; nothing was taken.
    """
    most = caller.key.predictions_per_day if caller.key else None
    if caller.key is None or most is None:
        return None
    left = store.keys.use(caller.key.key_id, PREDICTIONS, n, most=most)
    if left is None:
        raise LimitError(
            f"{n} rows are more than what is left of the {most} this key may have predicted in a day (UTC); "
            "GET /v1/me says how many are left",
            retry_after_s=seconds_to_midnight(),
        )
    return left


def seconds_to_midnight(now: datetime | None = None) -> int:
    """Return the time until the next day of UTC begins, s."""
    moment = (now or datetime.now(UTC)).astimezone(UTC)
    return _DAY_S - (moment.hour * 3600 + moment.minute * 60 + moment.second)


def network_of(address: str) -> str:
    """Return what is counted as one caller: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        found = ip_address(address)
    except ValueError:  # a socket or a test client
        return address
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)

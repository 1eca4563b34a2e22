"""Client of the service, typed and thin: :class:`Client`, and the errors it raises.

It needs httpx2 and pydantic, and nothing of what the service itself runs on.
"""

from __future__ import annotations

from hstore_api.client.client import Client
from hstore_api.client.errors import JobEndedError, ServiceError, ServiceUnreachableError

__all__ = ["Client", "JobEndedError", "ServiceError", "ServiceUnreachableError"]

"""What can go wrong when the service is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError

if TYPE_CHECKING:
    from hstore_api.job_schemas import JobDetail


class ServiceError(HstoreError):
    """The service refused a request, or failed."""

    def __init__(self, problem: dict[str, Any], *, status: int, retry_after_s: float | None = None) -> None:
        """Take the problem as the service tells it (RFC 9457).

        Args:
            problem: the body; empty where a proxy in between answered.
            status: HTTP status.
            retry_after_s: time after which it may be tried again, s.
        """
        self.problem = problem
        """The whole answer."""
        self.status = status
        """HTTP status."""
        self.code = str(problem.get("code", "http_error"))
        """Kind of problem in one word, such as ``unknown_name``."""
        self.detail = str(problem.get("detail", ""))
        """What was given, what is allowed, what to do."""
        self.correlation_id = str(problem.get("correlation_id", ""))
        """Identifier to tell the operator."""
        self.errors: list[dict[str, str]] = list(problem.get("errors", []))
        """Each part of the request that is wrong: ``location`` and ``message``."""
        self.retry_after_s = retry_after_s
        """Time after which it may be tried again, s; None where the service says nothing of it."""
        parts = "".join(f"; {part.get('location')}: {part.get('message')}" for part in self.errors)
        said = self.detail or "the answer is none of hstore's; is there a proxy in between?"
        request = f" [request {self.correlation_id}]" if self.correlation_id else ""
        super().__init__(f"{status} {self.code}: {said}{parts}{request}")


class ServiceUnreachableError(HstoreError):
    """The service did not answer, or not in time."""


class JobEndedError(HstoreError):
    """A job that was waited for failed, or was cancelled."""

    def __init__(self, job: JobDetail) -> None:
        self.job = job
        """The job as it ended."""
        super().__init__(f"job {job.job_id} ({job.kind}) {job.state.value} in step {job.step!r}: {job.error}")

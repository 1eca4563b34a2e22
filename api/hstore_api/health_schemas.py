"""What the service says of its own health."""

from __future__ import annotations

from pydantic import Field

from hstore_api.schemas import Problem, Schema


class ReadinessCheck(Schema):
    """One thing the service needs."""

    name: str = Field(examples=["database"])
    """What was looked at: ``database``, ``schema``, ``materials``, ``models`` or ``worker``."""
    ok: bool = Field(examples=[True])
    """Whether it is as it should be."""
    detail: str = Field(examples=["answers"])
    """What was found, without anything internal."""


class Readiness(Schema):
    """That the service is ready for all it offers."""

    version: str = Field(examples=["0.1.0"])
    """Version of hstore."""
    checks: tuple[ReadinessCheck, ...]
    """What was looked at, all as it should be."""


class NotReady(Problem):
    """That the service is not ready, and why."""

    checks: tuple[ReadinessCheck, ...]
    """What was looked at, and what of it is not as it should be."""

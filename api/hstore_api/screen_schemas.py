"""What screens are asked for and told with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field

from hstore_api.schemas import PageSize, Schema, Text, quantity

if TYPE_CHECKING:
    from hstore.records import Screen


class ScreenSummary(Schema):
    """A finished screening run."""

    screen_id: str = Field(examples=["onboard-0f3a5b7c9d1e"])
    """Opaque identifier."""
    target: str = Field(examples=["onboard"])
    """What was ranked for."""
    created_at: AwareDatetime = Field(examples=["2025-01-31T12:00:00Z"])
    """When it finished, UTC."""
    n_candidates: Annotated[int, quantity("candidates", 5000, ge=0)]
    """Candidates that were ranked."""
    n_rejected: Annotated[int, quantity("rows", 0, ge=0)]
    """Rows that could not be used."""

    @classmethod
    def of(cls, screen: Screen) -> Self:
        """Build from a record."""
        return cls(**{name: getattr(screen, name) for name in cls.model_fields})


class ScreenDetail(ScreenSummary):
    """A finished screening run with its best candidates."""

    top: tuple[dict[str, Any], ...] = Field(
        examples=[[{"rank": 1, "formula": "LaNi5", "h2_capacity_wt_pct_mean": 1.4, "score": 0.8}]]
    )
    """The best candidates, best first, with the columns of ``candidates.csv``; the unit is in each name."""
    manifest: dict[str, Any] = Field(examples=[{"seed": 0, "versions": {"hstore": "0.1.0"}}])
    """Command, versions, data checksums, model ids and seed: all it takes to repeat the run."""


class ScreenResults(Schema):
    """The best candidates of a screen."""

    screen_id: str = Field(examples=["onboard-0f3a5b7c9d1e"])
    """The screen."""
    target: str = Field(examples=["onboard"])
    """What was ranked for."""
    items: tuple[dict[str, Any], ...] = Field(
        examples=[[{"rank": 1, "formula": "LaNi5", "h2_capacity_wt_pct_mean": 1.4, "score": 0.8}]]
    )
    """The candidates, best first, with the columns of ``candidates.csv``; the unit is in each name."""


class ScreenQuery(Schema):
    """Which screens are asked for."""

    target: Text | None = Field(None, examples=["onboard"])
    """Only those ranked for this target."""
    limit: PageSize = 20
    """Most items on the page."""
    after: Text | None = None
    """``next`` of the page before."""


class ScreenPage(Schema):
    """The latest screens, newest first."""

    items: tuple[ScreenSummary, ...]
    """The screens."""
    limit: PageSize
    """Most items on the page, as asked."""
    next: str | None = Field(examples=["onboard-0f3a5b7c9d1e"])
    """Value of ``after`` for the next page; null on the last."""


class ResultsQuery(Schema):
    """In which form results are asked for."""

    format: Literal["json", "csv", "parquet"] | None = None
    """Form of the answer; without it the header ``Accept`` decides."""

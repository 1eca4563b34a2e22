"""Query parameters of OPTIMADE, as the contract shows them.

Not the library's classes: those make pydantic 2.11 and later warn at every start.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, EmailStr, Field

PAGE_LIMIT = 20
"""Entries of a page where none are asked for."""


class EntryParameters(BaseModel):
    """Of a request for one entry."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    response_format: str = Field(default="json", examples=["json"])
    """Format of the answer; only ``json`` is served."""
    email_address: EmailStr | None = Field(default=None, examples=["user@example.org"])
    """Address of the person who asks; not looked at."""
    response_fields: str = Field(default="", examples=["nelements,_hstore_family"])
    """Fields of the answer, separated by commas; all where it is empty."""
    include: str = Field(default="references", examples=["references"])
    """Related entries that are returned as well: ``references``, or nothing."""
    api_hint: str = Field(default="", examples=["v1"])
    """Version wanted; without effect, for the address has one."""


class ListingParameters(EntryParameters):
    """Of a request for a list of entries."""

    filter: str = Field(default="", examples=['elements HAS ALL "Mg","H" AND nelements=2'])
    """Which entries, in the filter language of OPTIMADE; all where it is empty."""
    sort: str = Field(default="", examples=["-_hstore_h2_capacity_wt_pct,nelements"])
    """Fields to sort by, separated by commas; a minus turns the order round. Entries without a value come last."""
    page_limit: int = Field(default=PAGE_LIMIT, ge=0, examples=[20])
    """Most entries of a page, at most 500; 0 stands for 20."""
    page_offset: int = Field(default=0, ge=0, examples=[0])
    """Entries to skip, at most 10,000; ``links.next`` goes further."""
    page_number: int | None = Field(default=None, examples=[1])
    """Page, beginning with 1; reaches as far as page_offset."""
    page_above: str = Field(default="", examples=["hstore:ab5:LaNi5"])
    """Where the page before ended, as ``links.next`` has it: an identifier, or opaque where the list is sorted."""
    page_cursor: str = Field(default="", examples=[""])
    """Not supported; has no effect."""
    page_below: str = Field(default="", examples=[""])
    """Not supported; has no effect."""


Listing = Annotated[ListingParameters, Query()]
Single = Annotated[EntryParameters, Query()]

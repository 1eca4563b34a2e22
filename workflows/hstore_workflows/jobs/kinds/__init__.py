"""The kinds of jobs that hstore ships, a module each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_workflows.jobs.kinds.evaluate import EVALUATE
from hstore_workflows.jobs.kinds.fetch import FETCH
from hstore_workflows.jobs.kinds.predict import PREDICT
from hstore_workflows.jobs.kinds.screen import SCREEN
from hstore_workflows.jobs.kinds.train import TRAIN

if TYPE_CHECKING:
    from hstore_workflows.jobs.kind import Kinds

SHIPPED: Kinds = {kind.name: kind for kind in (SCREEN, TRAIN, EVALUATE, FETCH, PREDICT)}
"""Name -> kind; a further kind is a module here and an entry in this table."""

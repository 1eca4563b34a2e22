"""The client: one object for one service and one key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from hstore.errors import InputError
from hstore_api.client.campaigns import Campaigns
from hstore_api.client.isotherms import Isotherms
from hstore_api.client.jobs import Jobs
from hstore_api.client.keys import Keys
from hstore_api.client.materials import Materials
from hstore_api.client.measurements import Measurements
from hstore_api.client.models import Models
from hstore_api.client.screens import Screens
from hstore_api.client.transport import Operation, Transport, request_of
from hstore_api.dataset_schemas import DatasetDetail, DatasetList, DatasetSummary
from hstore_api.key_schemas import Me
from hstore_api.model_schemas import PropertyDetail, PropertyList, PropertySchema
from hstore_api.prediction_schemas import PredictedRow, PredictionRequest, PredictionResponse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    import httpx2

URL_VARIABLE, KEY_VARIABLE = "HSTORE_URL", "HSTORE_KEY"
"""Environment variables that :meth:`Client.from_environment` reads."""

_ME = Operation("GET", "/v1/me")
_PREDICT = Operation("POST", "/v1/predictions")
_PROPERTIES = Operation("GET", "/v1/properties")
_PROPERTY = Operation("GET", "/v1/properties/{name}")
_DATASETS = Operation("GET", "/v1/datasets")
_DATASET = Operation("GET", "/v1/datasets/{name}")
_PREDICT_ONE = Operation("GET", "/v1/predictions")


class Client:
    """A service, asked in the name of a key.

    >>> with Client("http://127.0.0.1:8000") as hstore:  # doctest: +SKIP
    ...     for material in hstore.materials.list(elements=["La", "Ni"], known=True, limit=5):
    ...         print(material.formula)

    Threads may share one. Requests that the service is too busy for (429, 503) are sent again when it says, and so
    are reads whose connection broke off; writes are, where they carry an idempotency key.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 4,
        plain_http: bool = False,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Take the address of the service, and a key.

        Args:
            base_url: such as ``https://hstore.example.org``.
            key: made with ``hstore keys create``; without one only what everybody may read can be read.
            timeout_s: longest wait for an answer, s; the first prediction may train a model.
            retries: how often a request is sent again; while the service says that a model is being trained, as
                often as it says when, for up to ten minutes. 0 for never.
            plain_http: True to send the key unencrypted to another machine.
            transport: way to the service, for tests.

        Raises:
            InputError: the key would travel unencrypted, or is no key.
        """
        self._url = base_url
        self._transport = Transport(
            base_url, key=key, timeout_s=timeout_s, retries=retries, plain_http=plain_http, http=transport
        )
        self.materials = Materials(self._transport)
        """The candidates."""
        self.measurements = Measurements(self._transport)
        """Measured values of labs."""
        self.isotherms = Isotherms(self._transport)
        """Measured isotherms of labs."""
        self.screens = Screens(self._transport)
        """Finished screening runs."""
        self.models = Models(self._transport)
        """Property models."""
        self.campaigns = Campaigns(self._transport)
        """Next experiments, and results."""
        self.jobs = Jobs(self._transport)
        """Work that takes longer than a request."""
        self.keys = Keys(self._transport)
        """Keys and the audit log."""

    @classmethod
    def from_environment(cls, **options: Any) -> Self:
        """Take address and key from ``HSTORE_URL`` and ``HSTORE_KEY``.

        Raises:
            InputError: there is no address.
        """
        url = os.environ.get(URL_VARIABLE)
        if not url:
            raise InputError(f"{URL_VARIABLE} is unset; set it to the address of the service")
        return cls(url, key=os.environ.get(KEY_VARIABLE) or None, **options)

    def __enter__(self) -> Self:
        """Return the client, to be closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def __repr__(self) -> str:
        """Name the service, not the key."""
        return f"Client({self._url!r})"

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    def me(self) -> Me:
        """Return who is asking, what they may do, and what is left of it."""
        return self._transport.read(Me, _ME)

    def predict(self, property: str, formulas: Sequence[str] = (), **options: Any) -> PredictionResponse:
        """Predict a property for up to a thousand materials, with 90 % intervals.

        Args:
            property: name of a property (:meth:`properties`).
            formulas: formulas; one that cannot be read gets its cause in its own row.
            **options: other fields of the request: ``structures`` or ``rows`` in place of formulas, conditions
                such as ``temperature_k``, ``model_id``, ``out_of_domain``.
        """
        asked = {"property": property, **({"formulas": tuple(formulas)} if formulas else {}), **options}
        body = request_of(PredictionRequest, asked)
        return self._transport.read(PredictionResponse, _PREDICT, body=body, repeatable=True)

    def predict_one(self, property: str, formula: str, **options: Any) -> PredictedRow:
        """Predict a property for one formula.

        Args:
            property: name of a property (:meth:`properties`).
            formula: the formula.
            **options: conditions such as ``temperature_k``, ``model_id``, ``out_of_domain``.
        """
        query = {"property": property, "formula": formula, **options}
        return self._transport.read(PredictionResponse, _PREDICT_ONE, query=query).rows[0]

    def properties(self) -> tuple[PropertySchema, ...]:
        """Return what can be predicted, with units."""
        return self._transport.read(PropertyList, _PROPERTIES).items

    def property(self, name: str) -> PropertyDetail:
        """Return a property with the models that predict it."""
        return self._transport.read(PropertyDetail, _PROPERTY, names={"name": name})

    def datasets(self) -> tuple[DatasetSummary, ...]:
        """Return the data sets that models are trained on, with licence and citation."""
        return self._transport.read(DatasetList, _DATASETS).items

    def dataset(self, name: str) -> DatasetDetail:
        """Return a data set with its card."""
        return self._transport.read(DatasetDetail, _DATASET, names={"name": name})

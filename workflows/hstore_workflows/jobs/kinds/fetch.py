"""Bring candidates into the store from a source that a service may safely read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from hstore.errors import FetchError, InputError, unknown_name
from hstore.keys import Permission
from hstore.records import Family  # noqa: TC001 - pydantic reads annotations
from hstore_workflows.jobs.kind import Kind, Parameters, Step, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hstore.records import Material, Scope
    from hstore.settings import Settings
    from hstore_workflows.sources.intake import Rejected

MAX_MATERIALS = 50_000
"""Most materials one job brings in from a source."""

MAX_STRUCTURES = 200
"""Most structures that come with one job."""

_SHOWN = 20
_BELONGS = {
    "optimade": {"providers", "filter", "elements", "chemical_systems", "limit"},
    "mp": {"elements", "exclude_elements", "chemical_systems", "energy_above_hull_max_ev_per_atom", "limit"},
    "prototypes": {"types", "elements", "exclude_elements", "family", "limit"},
    "core-mof": {"dataset", "limit"},
    "structures": {"structures", "family"},
}
_ENDING = {"cif": "cif", "poscar": "vasp", "xyz": "xyz"}

Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z][a-z]?$")]
Symbols = Annotated[tuple[Symbol, ...], Field(max_length=30)]
System = Annotated[str, StringConstraints(pattern=r"^[A-Z][a-z]?(-[A-Z][a-z]?){0,9}$")]


class Structure(Parameters):
    """A structure file, as text."""

    format: Literal["cif", "poscar", "xyz"] = Field("cif", examples=["cif"])
    """How it is written; xyz means extended XYZ with a cell."""
    text: Annotated[str, Field(min_length=1, max_length=500_000)] = Field(examples=["data_MgH2 ..."])
    """The content of the file."""


class FetchParameters(Parameters):
    """Where candidates come from, and which."""

    source: Literal["optimade", "mp", "prototypes", "core-mof", "structures"] = Field(examples=["prototypes"])
    """OPTIMADE providers, the Materials Project, structure types, CoRE MOF, or structures sent along."""
    providers: Annotated[tuple[str, ...], Field(max_length=10)] = Field((), examples=[["oqmd"]])
    """OPTIMADE: short names of public providers, or base URLs that the operator allows."""
    filter: Annotated[str, Field(max_length=2000)] = Field("", examples=['elements HAS "H"'])
    """OPTIMADE: a filter."""
    elements: Symbols = Field((), examples=[["Mg", "H"]])
    """Elements that must all be present; of structure types, those that are put in."""
    exclude_elements: Symbols = Field((), examples=[["Be"]])
    """Elements that must be absent."""
    chemical_systems: Annotated[tuple[System, ...], Field(max_length=50)] = Field((), examples=[["La-Ni-H"]])
    """Exact chemical systems, any of them."""
    energy_above_hull_max_ev_per_atom: Annotated[
        float | None, Field(ge=0, le=10, examples=[0.1], json_schema_extra={"unit": "eV/atom"})
    ] = None
    """Materials Project: highest energy above the hull, eV/atom."""
    types: Annotated[tuple[str, ...], Field(max_length=50)] = Field((), examples=[["perovskite"]])
    """Structure types by name, ``hydrides`` for all of known hydrides (the default), or ``aflow``."""
    family: Family | None = Field(None, examples=["ionic"])
    """Structure types: only this family; structures sent along: their family."""
    dataset: Literal["2019-ASR", "2019-FSR", "2014"] = Field("2019-ASR", examples=["2019-ASR"])
    """CoRE MOF: which data set."""
    structures: Annotated[tuple[Structure, ...], Field(max_length=MAX_STRUCTURES)] = ()
    """Structures sent along."""
    limit: Annotated[
        int, Field(ge=1, le=MAX_MATERIALS, examples=[1000], json_schema_extra={"unit": "materials"})
    ] = 1000
    """Most materials, from each provider."""

    @model_validator(mode="after")
    def _fields_belong_to_the_source(self) -> FetchParameters:
        foreign = sorted(self.model_fields_set - _BELONGS[self.source] - {"source"})
        given = [name for name in foreign if getattr(self, name) != type(self).model_fields[name].default]
        if given:
            allowed = ", ".join(sorted(_BELONGS[self.source]))
            raise ValueError(f"{', '.join(given)} does not go with source {self.source!r}, which takes {allowed}")
        if self.source == "structures" and not self.structures:
            raise ValueError("source 'structures' needs structures")
        return self


def _check(asked: FetchParameters, settings: Settings, _scope: Scope) -> None:
    """Refuse what cannot be asked, by building the query, and providers that are not allowed."""
    from hstore_workflows.sources.materials_project import api_key

    if asked.source == "optimade":
        _allowed(asked, settings)
        _optimade_query(asked)
    elif asked.source == "mp":
        _mp_query(asked)
        api_key(settings)
    elif asked.source == "prototypes":
        _prototypes(asked)


def _allowed(asked: FetchParameters, settings: Settings) -> None:
    from hstore_workflows.sources.optimade.providers import known

    allowed = {*known(), *settings.fetch_endpoints}
    for name in asked.providers:
        if name not in allowed:
            raise unknown_name("provider", name, allowed)
    if not asked.providers:
        raise InputError(f"source 'optimade' needs providers; allowed: {', '.join(sorted(allowed))}")


def _optimade_query(asked: FetchParameters) -> Any:
    from hstore_workflows.sources.optimade.query import OptimadeQuery

    return OptimadeQuery(asked.filter, asked.elements, asked.chemical_systems, asked.limit)


def _mp_query(asked: FetchParameters) -> Any:
    from hstore_workflows.sources.mp_query import MPQuery

    return MPQuery(
        elements=asked.elements,
        chemical_systems=asked.chemical_systems,
        exclude_elements=asked.exclude_elements,
        energy_above_hull_max=asked.energy_above_hull_max_ev_per_atom,
        limit=asked.limit,
    )


def _prototypes(asked: FetchParameters) -> Any:
    from hstore_workflows.sources.prototypes.source import HYDRIDES, PrototypeQuery, PrototypeSource

    query = PrototypeQuery(
        types=asked.types or (HYDRIDES,),
        elements=asked.elements,
        exclude_elements=asked.exclude_elements,
        family=asked.family,
        limit=asked.limit,
    )
    return PrototypeSource(query)


def _fetch(work: Work[FetchParameters]) -> dict[str, Any]:
    """Take in what the source delivers; records are found again by their identifiers, so twice is once."""
    from hstore_workflows.sources.intake import take_in

    with_end = {"optimade": _optimade, "mp": _mp}.get(work.parameters.source)
    items, settle = with_end(work) if with_end else (_plain(work), _nothing)
    seen = 0

    def progress(count: int) -> None:
        nonlocal seen
        seen += count
        work.say(f"{seen} taken in", min(seen / work.parameters.limit, 1.0))

    taken = take_in(
        _owned(work, items),
        work.store,
        at_once=work.parameters.source == "mp",
        scope=work.scope,
        workers=work.settings.threads or None,
        progress=progress,
    )
    settle()
    for reject in taken.rejected[:_SHOWN]:
        work.say(f"rejected {reject.reference or '(no reference)'}: {reject.cause}")
    if len(taken.rejected) > _SHOWN:
        work.say(f"and {len(taken.rejected) - _SHOWN} more rejected")
    return {
        "n_received": taken.received,
        "n_stored": taken.stored,
        "n_merged": taken.merged,
        "n_rejected": len(taken.rejected),
    }


def _nothing() -> None:
    """End a source that keeps nothing between requests."""


def _owned(work: Work[FetchParameters], items: Iterable[Material | Rejected]) -> Iterator[Material | Rejected]:
    """Make what a lab fetches the lab's own, under identifiers that nobody else's record can have."""
    from hstore.records import Material

    lab = work.job.access.lab_id
    for item in items:
        if lab is None or not isinstance(item, Material):
            yield item
        else:
            own = {"material_id": f"{lab}:{item.material_id}", "access": work.job.access}
            yield item.model_copy(update=own)


def _plain(work: Work[FetchParameters]) -> Iterable[Material | Rejected]:
    asked = work.parameters
    workers = work.settings.threads or None
    if asked.source == "prototypes":
        source: Iterable[Material | Rejected] = _prototypes(asked)
        return source
    if asked.source == "core-mof":
        from hstore_workflows.sources.core_mof import read_core_mof

        return read_core_mof(asked.dataset, limit=asked.limit, workers=workers)
    from hstore_workflows.sources.files.source import read_files

    folder = work.folder / "structures"
    folder.mkdir(exist_ok=True)
    for number, structure in enumerate(asked.structures, 1):
        path = folder / f"structure-{number:03d}.{_ENDING[structure.format]}"
        path.write_text(structure.text, encoding="utf-8", errors="replace")
    return read_files([folder], family=asked.family, workers=workers)


def _optimade(work: Work[FetchParameters]) -> tuple[Iterator[Material | Rejected], Callable[[], None]]:
    """Ask the providers; pages received before a crash are not asked for again."""
    from hstore_workflows.sources.optimade.fetch import fetch_providers, settle
    from hstore_workflows.sources.optimade.providers import resolve_providers

    asked = work.parameters
    work.say(f"asking {', '.join(asked.providers)}")
    fetches = fetch_providers(resolve_providers(asked.providers), _optimade_query(asked), home=work.folder)

    def items() -> Iterator[Material | Rejected]:
        for fetch in fetches:
            yield from fetch.items()

    def end() -> None:
        settle(fetches)
        failed = [f"{fetch.source.provider.name}: {fetch.cause}" for fetch in fetches if fetch.cause]
        for line in failed:
            work.say(f"failed: {line}")
        if len(failed) == len(fetches):
            raise FetchError(f"no provider delivered anything; {failed[0]}")

    return items(), end


def _mp(work: Work[FetchParameters]) -> tuple[Iterable[Material | Rejected], Callable[[], None]]:
    from hstore_workflows.sources.materials_project import MPAccess, api_key, fetch_materials

    work.say("asking the Materials Project")
    fetched = fetch_materials(_mp_query(work.parameters), MPAccess(api_key(work.settings), work.folder))
    work.say(f"{fetched.total} materials announced")
    return fetched.items(), fetched.forget


FETCH = Kind(
    name="fetch",
    summary="Brings candidates into the store, each once; what a lab fetches is the lab's own.",
    permission=Permission.RUN,
    parameters=FetchParameters,
    steps=(Step("fetch", "receive and store the candidates", _fetch),),
    check=_check,
)

"""Check the curated tables against their cards, against physics and against the public sets present."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hstore.elements import SYMBOLS
from hstore.errors import DataError, FormulaError
from hstore.formula import parse_formula
from hstore_data.catalog import present
from hstore_data.compare import PARTNERS, Comparison, compare
from hstore_data.curated import COLUMNS, card, curated_table
from hstore_data.element_supply import CATEGORY_1, hazard_class
from hstore_data.readers import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.settings import Settings
    from hstore_data.card import Card
    from hstore_data.table import DataTable

ALLOWED = {
    ("hydrides", "family"): {"interstitial", "ionic", "complex"},
    ("hydrides", "capacity_definition"): {"maximum", "reversible", "usable"},
    ("hydrides", "mass_basis"): {"hydrogenated_material", "host", "unspecified"},
    ("electrolytes", "mobile_ion"): {
        "Li+", "Na+", "K+", "Ag+", "Cu+", "Mg2+", "Ca2+", "F-", "O2-", "H+", "H-",
    },
    ("electrolytes", "conductivity_kind"): {"total", "bulk", "unspecified"},
    ("sorbents", "sorbent_class"): {"MOF", "COF", "zeolite", "carbon", "polymer"},
    ("sorbents", "uptake_kind"): {"excess", "absolute", "total", "unspecified"},
    ("sorbents", "mass_basis"): {"sorbent", "sorbent_plus_h2", "unspecified"},
    ("element_supply", "price_basis"): {"", "element", "compound", "small_quantity"},
    ("element_supply", "hazard_quality"): {"read", "memory"},
    ("element_supply", "screen_discount"): {"", "yes"},
}  # fmt: skip
"""(Curated table, column) -> the words that may stand there."""


@dataclass(frozen=True)
class TableReport:
    """What was found about one curated table."""

    name: str
    """The table."""
    rows: int
    """Rows that can be used."""
    problems: tuple[str, ...]
    """What is wrong with the table itself."""
    comparisons: tuple[Comparison, ...]
    """Agreement with the public sets present."""

    @property
    def passed(self) -> bool:
        """True when nothing is wrong and every outlier is explained."""
        return not self.problems and not any(comparison.unexplained for comparison in self.comparisons)


@dataclass(frozen=True)
class CheckReport:
    """What was found about all curated tables."""

    tables: tuple[TableReport, ...]
    """One report a table."""
    public_sets: tuple[str, ...]
    """Public sets the tables were compared with."""

    @property
    def passed(self) -> bool:
        """True when every table passed."""
        return all(table.passed for table in self.tables)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, with ``passed`` for the whole and for each table."""
        tables = [{**asdict(table), "passed": table.passed} for table in self.tables]
        return {"passed": self.passed, "public_sets": list(self.public_sets), "tables": tables}


def check_curated(settings: Settings) -> CheckReport:
    """Check every curated table; public sets that are not on this machine are left out.

    Raises:
        DataError: a public set that is present cannot be read.
    """
    here = present(settings)
    wanted = sorted({name for names in PARTNERS.values() for name in names} & set(here))
    public = {name: read(name, settings) for name in wanted}
    return CheckReport(tuple(check_table(name, public) for name in COLUMNS), tuple(wanted))


def check_table(name: str, public: dict[str, DataTable]) -> TableReport:
    """Check one curated table against its card and the public sets given."""
    ours, its_card = curated_table(name), card(name)
    comparisons = [
        comparison
        for partner in PARTNERS.get(name, ())
        if partner in public
        for comparison in compare(its_card, ours, public[partner])
    ]
    return TableReport(name, len(ours.frame), tuple(find_problems(ours, its_card)), tuple(comparisons))


def find_problems(ours: DataTable, its_card: Card) -> Iterator[str]:
    """Yield what is wrong with a curated table, whatever the public sets say."""
    (received,) = ours.sha256.values()
    if received != its_card.sha256:
        yield f"the table has SHA-256 {received}, its card states {its_card.sha256}; update the card"
    if len(ours.frame) != its_card.rows:
        yield f"{len(ours.frame)} rows can be used, the card states {its_card.rows}"
    yield from (f"row {reject.row} ({reject.formula}): {reject.cause}" for reject in ours.rejects)
    undescribed = [column for column in COLUMNS[ours.name] if column not in its_card.columns]
    if undescribed:
        yield f"the card does not describe the columns {', '.join(undescribed)}"
    yield from _wrong_cells(ours)
    if ours.name == "element_supply":
        yield from _wrong_elements(ours)


def _wrong_cells(ours: DataTable) -> Iterator[str]:
    for record in ours.frame.to_dict("records"):
        where = f"row {record['row']}"
        for column in ("citation", "seen_in"):
            if not record[column]:
                yield f"{where}: {column} is empty; every value names its source and where it was read"
        for (table, column), words in ALLOWED.items():
            if table == ours.name and record[column] not in words:
                yield f"{where}: {column} must be one of {', '.join(sorted(words))}, got {record[column]!r}"
        formula = record.get("formula")
        if formula:
            try:
                parse_formula(str(formula))
            except FormulaError as error:
                yield f"{where}: {error}"


def _wrong_elements(ours: DataTable) -> Iterator[str]:
    symbols = ours.frame["element"].tolist()
    if symbols != list(SYMBOLS):
        wrong = sorted(set(symbols) ^ set(SYMBOLS)) or "another order"
        yield f"the elements must be H to Lr, each once in order of atomic number; differing: {wrong}"
    for record in ours.frame.to_dict("records"):
        where = f"row {record['row']} ({record['element']})"
        stated = [bool(record["price_basis"]), *(record[c] > 0 for c in ("price_usd_per_kg", "price_year"))]
        if any(stated) != all(stated):
            yield f"{where}: price, year and basis go together; state all or none"
        try:
            category = hazard_class(str(record["hazard_statements"]))
        except DataError as error:
            yield f"{where}: {error}"
            continue
        if (category >= CATEGORY_1) != bool(record["screen_note"]):
            yield f"{where}: hazards of class {CATEGORY_1} and above, and only those, have a screen_note"
        if not record["hazard_citation"]:
            yield f"{where}: hazard_citation is empty; every value names its source"

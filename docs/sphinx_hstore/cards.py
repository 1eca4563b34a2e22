"""A page for each data set: its card, from the file that the readers check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_data.catalog import datasets

from .settings import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore_data.card import Card


def pages() -> dict[str, str]:
    """Return a page for each set, and one that lists them."""
    cards = datasets()
    rows = "\n".join(
        f"| [{name}]({name}.md) | {card.tier} | {card.rows:,} | {text_of(card.title)} | {text_of(card.licence)} |"
        for name, card in cards.items()
    )
    names = "\n".join(cards)
    index = f"""# Data sets

Curated tables ship with hstore, chosen value by value, with a citation on every row. Public sets are read from a
mirror or pulled by name (`hstore data pull NAME`); their licences stay theirs. `hstore data show NAME` prints a
card, `hstore data check` checks every table against its card.

| set | tier | rows | what | licence |
|---|---|---|---|---|
{rows}

```{{toctree}}
:hidden:

{names}
```
"""
    return {"data-sets/index.md": index} | {f"data-sets/{name}.md": _page(card) for name, card in cards.items()}


def _page(card: Card) -> str:
    facts = [
        ("tier", str(card.tier)),
        ("rows", f"{card.rows:,}"),
        ("licence", card.licence),
        ("read on", f"{card.retrieved:%Y-%m-%d}"),
        ("cite", card.citation),
        ("DOI", ", ".join(card.doi)),
        ("upstream", card.upstream),
        ("how to get it", card.obtain),
        ("SHA-256", card.sha256),
    ]
    parts = [f"# {card.name}", "", card.title + ".", "", card.description, "", "| | |", "|---|---|"]
    parts += [f"| {name} | {text_of(value)} |" for name, value in facts if value]
    if card.files:
        parts += ["", "## Files", "", "| file | rows | SHA-256 |", "|---|---|---|"]
        parts += [f"| `{f.path}` | {'' if f.rows is None else f'{f.rows:,}'} | `{f.sha256}` |" for f in card.files]
    parts += ["", "## Columns", "", "| column | meaning |", "|---|---|"]
    parts += [f"| `{name}` | {text_of(meaning)} |" for name, meaning in card.columns.items()]
    parts += _list("Known defects", card.known_defects)
    parts += _list("Cleaning", (f"{s.step} ({s.rows_removed:,} rows removed)" for s in card.cleaning))
    parts += _list(
        "Differences from public sets that are explained",
        (
            f"{o.formula}, `{o.column}`: {o.ours:g} here, {o.theirs:g} in {o.source}. {o.explanation}"
            for o in card.outliers
        ),
    )
    parts += _list("Sources", card.sources)
    return "\n".join([*parts, ""])


def _list(title: str, entries: Iterable[str]) -> list[str]:
    written = [f"- {text_of(entry)}" for entry in entries]
    return ["", f"## {title}", "", *written] if written else []

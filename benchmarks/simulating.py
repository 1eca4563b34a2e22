"""Arguments that the benchmarks of simulated uptakes share."""

from __future__ import annotations

import argparse


def parser_of(description: str | None, *, error: float, cycles: int) -> argparse.ArgumentParser:
    """Return a parser with the effort of a simulation, the cut-off, and how the figures are printed.

    Args:
        description: what the benchmark does.
        error: 95 % error of an uptake unless told otherwise, as a share of it.
        cycles: most Monte Carlo cycles unless told otherwise.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--error", type=float, default=error, help="95 %% error of an uptake (default %(default)s)"
    )
    parser.add_argument("--cycles", type=int, default=cycles, help="most cycles (default %(default)s)")
    parser.add_argument("--cutoff", type=float, default=12.0, help="cut-off, angstrom (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    return parser

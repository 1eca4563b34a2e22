"""Tables to fill in, with one line as an example."""

from __future__ import annotations

_ROWS = """\
formula,property,value,unit,standard_deviation,temperature_k,pressure_bar,measured_on,sample,note,reference,row_id
LaNi5,h2_capacity,1.4,wt%,0.05,298,20,2026-11-02,"batch 7, annealed",third cycle,,A-17
LaNi5,plateau_pressure,1.7,atm,,298,,2026-11-02,"batch 7, annealed",desorption,,A-18
"""
_POINTS = """\
# formula: Zn4O13C24H12
# temperature_k: 77
# uptake_kind: excess
# branch: adsorption
# measured_on: 2026-11-02
# sample: batch 3, activated at 423 K
# row_id: iso-77K-1
pressure_bar,uptake_mmol_g
0.1,4.5
1.0,12.9
10.0,29.8
"""


def template(*, isotherms: bool = False) -> str:
    """Return a CSV to fill in: measurements in the long form, or the points of an isotherm."""
    return _POINTS if isotherms else _ROWS

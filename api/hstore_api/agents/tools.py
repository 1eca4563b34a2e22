"""What agents can ask for: each tool is one function of plain arguments that answers in sentences.

Every tool asks the service through its client, so keys, scopes, limits and privacy are those of REST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore_api.agents import words
from hstore_api.client.errors import ServiceError

if TYPE_CHECKING:
    from hstore.errors import HstoreError
    from hstore_api.client import Client

MOST_SHOWN = 50
"""Materials, measurements or jobs in one answer."""
_UNAUTHORISED = 401


class Tools:
    """The tools, over one client of the service."""

    def __init__(self, client: Client) -> None:
        """Take the client, with the key in whose name everything is asked."""
        self._client = client

    def who_am_i(self) -> list[str]:
        """Say in whose name the service is asked, what the key permits and what is left of its limits.

        Ask this first when something is refused.
        """
        me = self._client.me()
        return [f"{name}: {value}" for name, value in me.model_dump(mode="json").items() if value is not None]

    def list_properties(self) -> list[str]:
        """List what can be predicted or searched for: names, units, and the conditions each needs.

        Use these exact names in the other tools. Capacities are wt% of the hydrogenated material; enthalpies and
        entropies are of desorption, positive, for each mol of H2; log10 conductivity is that in S/cm.
        """
        lines = []
        for one in self._client.properties():
            needs = f"; needs {', '.join(one.conditions)}" if one.conditions else ""
            by = f"; predicted from {one.predicted_from}" if one.predicted_from else "; not predicted"
            lines.append(f"{one.name}, in {one.unit}: {one.description}{needs}{by}")
        return lines

    def search_materials(
        self,
        elements: list[str] | None = None,
        formula: str | None = None,
        family: str | None = None,
        text: str | None = None,
        known: bool | None = None,
        where: list[str] | None = None,
        sort: str | None = None,
        limit: int = 10,
    ) -> list[str]:
        """Search the candidates and return one line each: formula, identifier, family, values and source.

        Args:
            elements: symbols that must all be there, such as ["La", "Ni"].
            formula: an exact composition, in any spelling.
            family: interstitial, ionic, complex, sorbent or electrolyte.
            text: words in the name or the reason.
            known: true for materials that exist, false for proposals.
            where: conditions on values, such as ["h2_capacity_wt_pct>=5"].
            sort: a property, with - before it for the largest first, such as "-h2_capacity_wt_pct".
            limit: lines at most, up to 50.
        """
        given: dict[str, Any] = {
            "elements": elements, "formula": formula, "family": family, "text": text, "known": known,
            "where": where, "sort": sort,
        }  # fmt: skip
        asked = {name: value for name, value in given.items() if value is not None}
        found = list(self._client.materials.list(limit=min(max(limit, 1), MOST_SHOWN), **asked))
        return [words.material(one) for one in found] or ["No candidate keeps these conditions."]

    def get_material(self, material_id: str) -> list[str]:
        """Return one material with every known value: unit, measured or predicted, conditions, source, licence.

        Args:
            material_id: as `search_materials` gives it.
        """
        return words.material_lines(self._client.materials.get(material_id))

    def predict(
        self,
        property_name: str,
        formulas: list[str],
        temperature_k: float | None = None,
        pressure_bar: float | None = None,
    ) -> list[str]:
        """Predict a property of formulas: value with unit, 90 % interval, domain flag and model, one line each.

        Repeat interval and domain when you pass a prediction on. A line that says OUTSIDE is a guess. A formula
        that cannot be read gets its cause in its own line.

        Args:
            property_name: exact name from `list_properties`.
            formulas: such as ["LaNi4.5Al0.5", "TiFe"], 100 at most.
            temperature_k: where the property depends on it, K; 298.15 when not given.
            pressure_bar: where the property depends on it, bar.
        """
        state = {"temperature_k": temperature_k, "pressure_bar": pressure_bar}
        conditions = {name: value for name, value in state.items() if value is not None}
        answer = self._client.predict(property_name, formulas[:100], **conditions)
        return [words.prediction(answer, row) for row in answer.rows]

    def explain(self, property_name: str, formula: str, temperature_k: float | None = None) -> list[str]:
        """Say what stands behind a prediction: known values, how wrong the model is, what it learned from.

        Args:
            property_name: exact name from `list_properties`.
            formula: such as LaNi5.
            temperature_k: where the property depends on it, K.
        """
        lines = self.predict(property_name, [formula], temperature_k)
        detail = self._client.property(property_name)
        alike = list(self._client.materials.list(formula=formula, limit=3))
        measured = [
            f"Known of {one.formula}: {words.known(value)}"
            for one in alike
            for value in self._client.materials.get(one.material_id).values
            if value.property == property_name and value.kind != "predicted"
        ]
        lines += measured or [f"No measured or computed {property_name} of {formula} is in the store."]
        family = next((one.family.value for one in alike if one.family), None)
        if detail.score is not None:
            lines.append(words.score(property_name, detail.score, family))
        if detail.model_id is not None:
            model = detail.model_id.rpartition("-")[0]
            version = self._client.models.version(model, detail.model_id)
            lines.append(words.sources(version))
            lines += [f"Limit: {limit}" for limit in version.limits]
            weights = sorted(version.importances.items(), key=lambda pair: -pair[1])[:5]
            if weights:
                told = ", ".join(f"{name} ({100 * share:.0f} %)" for name, share in weights)
                lines.append(f"What the model looks at most, over all materials: {told}.")
        return lines

    def list_campaigns(self) -> list[str]:
        """List the campaigns of experiments that this key may see, and where each stands."""
        lines = []
        for one in self._client.campaigns.list():
            best = f"; best so far {one.best.material_id} {words.number(one.best.value)}" if one.best else ""
            lines.append(
                f"{one.campaign}: goals {', '.join(one.goals)}; {one.pool} candidates, {one.measured} measured, "
                f"{one.pending} under way, {one.failed} failed{best}"
            )
        return lines or ["There is no campaign that this key may see."]

    def propose_experiments(self, campaign: str, n: int = 1, lab: str | None = None) -> list[str]:
        """Reserve the next experiments of a campaign and return them with reasons. This changes the campaign.

        The experiments count as under way until they are reported or their lease ends: do not ask twice.

        Args:
            campaign: name from `list_campaigns`.
            n: how many.
            lab: the lab that makes them, where the campaign knows several.
        """
        found = self._client.campaigns.propose(campaign, n, **({"lab": lab} if lab else {}))
        lines = [words.proposal(one) for one in found.items]
        return [*lines, *([found.note] if found.note else [])] or ["Nothing is left to propose."]

    def submit_measurements(self, rows: list[dict[str, Any]]) -> list[str]:
        """Send measured values of your lab; each gets a verdict. They stay private until the lab publishes them.

        Send only what a person measured and asked you to send. Held values wait for the lab's confirmation.

        Args:
            rows: one object a sample, with "formula", columns named after properties (the unit is in the name),
                conditions such as "temperature_k", "measured_on" (date) and "row_id" (your own name for the row).
        """
        taken = self._client.measurements.send(rows)
        lines = [", ".join(f"{count} {verdict}" for verdict, count in taken.counts.items() if count)]
        for one in taken.verdicts:
            told = {
                name: value for name, value in one.model_dump(mode="json").items() if value not in (None, "", [])
            }
            lines.append("; ".join(f"{name}: {value}" for name, value in told.items()))
        if taken.ignored:
            lines.append(f"columns not read: {', '.join(taken.ignored)}")
        return lines

    def list_jobs(self, limit: int = 10) -> list[str]:
        """List the newest jobs of your lab, a line each.

        Args:
            limit: lines at most, up to 50.
        """
        found = self._client.jobs.list(limit=min(max(limit, 1), MOST_SHOWN))
        return [_job(one) for one in found] or ["There is no job."]

    def get_job(self, job_id: str) -> list[str]:
        """Return how far a job is, its result or why it failed, and the files it left.

        Args:
            job_id: as `list_jobs` gives it.
        """
        job = self._client.jobs.get(job_id)
        lines = [_job(job), f"asked: {job.parameters}"]
        if job.result is not None:
            lines.append(f"result: {job.result}")
        if job.files:
            lines.append(f"files: {', '.join(job.files)}")
        return lines


def _job(job: Any) -> str:
    text = f"{job.job_id}: {job.kind}, {job.state.value}, {100 * job.progress:.0f} % done"
    return text + (f", {job.step}" if job.step else "") + (f"; failed: {job.error}" if job.error else "")


READING = (
    "who_am_i", "list_properties", "search_materials", "get_material", "predict", "explain", "list_campaigns",
    "list_jobs", "get_job",
)  # fmt: skip
"""Tools that change nothing."""
WRITING = ("propose_experiments", "submit_measurements")
"""Tools that change what the service holds."""


def in_words(error: HstoreError) -> str:
    """Return a failure as a person would tell it to an agent, with what to do."""
    if isinstance(error, ServiceError) and error.status == _UNAUTHORISED:
        return (
            f"{error}. The service wants a key: ask the person you work for to set HSTORE_KEY to one made with "
            "`hstore keys create`, and to start this server again."
        )
    return str(error)

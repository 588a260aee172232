"""Alternating contenders, several rounds, medians and spread: the common part of every row.

A row is a module in rows/ with TITLE, HOW, FINDINGS and `measure(bench)`. It alternates its contenders through
`Bench.alternate`, so that a machine that is slower for a minute is slower for all of them, and states its goals with
`Bench.goal`. Ratios are taken within a round and only then summed up: the two sides of a ratio were measured side by side.
"""

import json
import statistics
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "bench"
RESULTS = ROOT / "reports" / "bench"

LEAKCHECK = "leakcheck"


class Absent(Exception):
    """A contender that is not available here; its row notes that and continues."""


@dataclass
class Spread:
    """Median and quartiles of several rounds."""

    median: float
    q1: float
    q3: float
    rounds: int

    @staticmethod
    def of(values):
        values = sorted(values)
        if len(values) < 2:
            return Spread(values[0], values[0], values[0], 1)
        q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
        return Spread(median, q1, q3, len(values))


@dataclass
class Goal:
    """A target value and its measurement."""

    what: str
    goal: str
    measured: float | None
    unit: str
    met: bool | None
    spread: Spread | None = None


@dataclass
class Result:
    """The result of a row, stored as JSON. The document is rendered from it."""

    row: str
    title: str
    how: str
    findings: str
    quick: bool
    command: str = ""
    measured_at: str = ""
    took_s: float = 0.0
    # case -> contender -> measure -> {"unit", "values", spread}
    cases: dict = field(default_factory=dict)
    goals: list = field(default_factory=list)
    absent: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    broke: str | None = None


class Bench:
    """One row being measured: its time, its rounds, its results."""

    def __init__(self, row, module, quick, latest):
        self.quick = quick
        self.result = Result(row, module.TITLE, module.HOW, module.FINDINGS, quick)
        budget = module.SECONDS
        self.deadline = min(time.monotonic() + (budget / 5 if quick else budget), latest)
        self.scratch = WORK / row
        self.scratch.mkdir(parents=True, exist_ok=True)

    def pick(self, full, quick):
        """The full run's number or the quick run's."""
        return quick if self.quick else full

    def alternate(self, case, contenders, rounds=5, least=2, budget=None):
        """Measures each contender once a round, in an order that turns.

        A contender is a function that returns {measure: (value, unit)}. Rounds end early when the time of the row (or the
        `budget`, its share in seconds) is used up, but not before `least` of them.
        """
        table = self.result.cases.setdefault(case, {})
        names = list(contenders)
        least = 1 if self.quick else least
        deadline = min(self.deadline, time.monotonic() + budget) if budget else self.deadline
        for turn in range(self.pick(rounds, min(rounds, 2))):
            if turn >= least and time.monotonic() > deadline:
                self.note(f"{case}: {turn} of {rounds} rounds within the time limit")
                break
            for name in names[turn % len(names):] + names[: turn % len(names)]:
                if name in self.result.absent:
                    continue
                try:
                    measured = contenders[name]()
                except Absent as why:
                    self.absent(name, str(why))
                    continue
                for measure, (value, unit) in measured.items():
                    of = table.setdefault(name, {}).setdefault(measure, {"unit": unit, "values": []})
                    of["values"].append(value)
                log(f"  {case}, round {turn + 1}: {name}: " + ", ".join(f"{m} {v:.4g} {u}" for m, (v, u) in measured.items()))
        for name in names:
            for of in table.get(name, {}).values():
                of.update(asdict(Spread.of(of["values"])))

    def record(self, case, contender, measure, values, unit):
        """Values that were measured otherwise."""
        of = {"unit": unit, "values": list(values)}
        of.update(asdict(Spread.of(of["values"])))
        self.result.cases.setdefault(case, {}).setdefault(contender, {})[measure] = of
        log(f"  {case}: {contender}: {measure} {of['median']:.4g} {unit}")

    def values(self, case, contender, measure):
        """All rounds of one measure; empty if there are none."""
        return self.result.cases.get(case, {}).get(contender, {}).get(measure, {}).get("values", [])

    def spread(self, case, contender, measure):
        """The spread of one measure; None if there is none."""
        values = self.values(case, contender, measure)
        return Spread.of(values) if values else None

    def ratio(self, case, measure, of, to):
        """The spread of one contender's measure over another's, round by round; None if one of them is absent."""
        ratios = [a / b for a, b in zip(self.values(case, of, measure), self.values(case, to, measure)) if b]
        return Spread.of(ratios) if ratios else None

    def goal(self, what, comparison, bound, measured, unit=""):
        """States a goal, `<=`, `<` or `>=` of `bound`, and what came out: a Spread, a number, or None."""
        value = measured.median if isinstance(measured, Spread) else measured
        met = None
        if value is not None:
            met = {"<=": value <= bound, "<": value < bound, ">=": value >= bound}[comparison]
        written = f"{comparison} {bound:,.10g}{' ' + unit if unit and unit != '×' else unit}"
        spread = measured if isinstance(measured, Spread) else None
        self.result.goals.append(Goal(what, written, value, unit, met, spread))

    def effect(self, what, differences, reach, unit):
        """States that there is no effect: 0 must lie within the mean of the differences, give or take `reach`."""
        mean = statistics.mean(differences)
        interval = Spread(mean, mean - reach, mean + reach, len(differences))
        self.result.goals.append(Goal(what, "0 within its interval", mean, unit, abs(mean) <= reach, interval))

    def absent(self, name, why):
        """Notes a contender that is not available."""
        log(f"  {name} is not available: {why}")
        self.result.absent[name] = why

    def note(self, text):
        """A sentence for the document."""
        log(f"  note: {text}")
        self.result.notes.append(text)


def run_row(row, module, quick, command, latest):
    """Measures one row, beginning no further round after `latest`, and stores its JSON, also for a row
    that failed. Returns whether it succeeded."""
    log(f"== {row}: {module.TITLE}")
    bench, began = Bench(row, module, quick, latest), time.monotonic()
    try:
        module.measure(bench)
    except Absent as why:
        bench.absent("this row", str(why))
    except Exception as error:  # one row that breaks must not cost the others
        traceback.print_exc()
        bench.result.broke = f"{type(error).__name__}: {error}"
    result = bench.result
    result.command = command
    result.took_s = round(time.monotonic() - began, 1)
    result.measured_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    RESULTS.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(result), indent=1, ensure_ascii=False)
    (RESULTS / f"{row}.json").write_text(text + "\n")
    log(f"   {row} took {result.took_s:.0f} s")
    return result.broke is None


def log(text):
    print(text, flush=True)

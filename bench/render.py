"""docs/benchmarks.md from reports/bench/*.json: one table of goals, then how each row was measured and what was found."""

import json

from harness import RESULTS, ROOT, Spread

DOCUMENT = ROOT / "docs" / "benchmarks.md"

MARKS = {True: "reached", False: "**missed**", None: "not measured"}

HEAD = """# Benchmarks

leakcheck beside the tools that one would use instead, on the same machine, alternating, in several rounds. **Ratios, not absolute times**: each ratio is taken
within a round; the table gives the median and, in brackets, the middle half of all rounds. A peer that is not available is named. A goal that was
missed stays in the table.

Written by `bench/run` (`just bench`; `just bench-quick` uses fewer rounds). The figures of each round are in `reports/bench/*.json`.
"""


def write(rows):
    """Writes the document from the stored rows and returns its path."""
    results = [json.loads(path.read_text()) for row in rows if (path := RESULTS / f"{row}.json").exists()]
    if not results:
        return "no results yet: nothing written"
    parts = [HEAD, machine_of(results), table(results)]
    parts += [section(result) for result in results]
    DOCUMENT.write_text("\n".join(parts))
    return DOCUMENT


def machine_of(results):
    facts = json.loads((RESULTS / "machine.json").read_text())
    peers = ", ".join(f"{name} {version or '(not available)'}" for name, version in facts["peers"].items())
    days = sorted({result["measured_at"][:10] for result in results})
    quick = " Some rows are of a **quick** run: not for quoting." if any(r["quick"] for r in results) else ""
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB; Linux {facts['kernel']}; Docker engine {facts['engine']}; "
        f"Python {facts['python']} with {peers}. Commit {facts['commit']}, measured {' to '.join(days[:1] + days[1:][-1:])} in "
        f"{sum(r['took_s'] for r in results) / 60:.0f} minutes.{quick}\n"
    )


def table(results):
    lines = ["| what | goal | measured | |", "|---|---|---|---|"]
    for result in results:
        lines.append(f"| **[{result['title']}](#{anchor(result['title'])})** | | | |")
        if result["broke"]:
            lines.append(f"| the row failed: {result['broke']} | | | **failed** |")
        if "this row" in result["absent"]:
            lines.append(f"| {result['absent']['this row']} | | | not measured |")
        for goal in result["goals"]:
            lines.append(f"| {goal['what']} | {goal['goal']} | {measured(goal)} | {mark(goal)} |")
    return "\n".join(lines) + "\n"


def mark(goal):
    """The outcome of a goal. A single round on a busy machine says little."""
    single = goal["spread"] and goal["spread"]["rounds"] == 1
    return MARKS[goal["met"]] + (", in one round" if single else "")


def anchor(title):
    return "".join(c for c in title.lower().replace(" ", "-") if c.isalnum() or c == "-")


def measured(goal):
    if goal["measured"] is None:
        return "–"
    text = number(goal["measured"]) + unit(goal["unit"])
    spread = goal["spread"]
    if spread and spread["rounds"] > 1:
        text += f" ({number(spread['q1'])} – {number(spread['q3'])})"
    return text


def unit(text):
    return text if text in ("", "×", "%") else f" {text}"


def number(value):
    """Three figures, with commas above a thousand."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def section(result):
    lines = [f"## {result['title']}", "", result["how"].strip(), ""]
    for case, contenders in result["cases"].items():
        if contenders:
            lines += case_table(case, contenders)
    for name, why in result["absent"].items():
        lines += [f"{name}: not available here: {why}", ""]
    for note in result["notes"]:
        lines += [f"- {note}"]
    if result["notes"]:
        lines.append("")
    if result["findings"].strip():
        lines += ["**Found.** " + result["findings"].strip(), ""]
    lines += [f"<sub>`{result['command']} {result['row']}`, {result['took_s']:.0f} s</sub>", ""]
    return "\n".join(lines)


def case_table(case, contenders):
    measures = list(dict.fromkeys(m for of in contenders.values() for m in of))
    units = {m: next(of[m]["unit"] for of in contenders.values() if m in of) for m in measures}
    heads = [f"{m}{', ' + units[m] if units[m] else ''}" for m in measures]
    lines = [f"| {case} | " + " | ".join(heads) + " | rounds |", "|---|" + "---:|" * (len(measures) + 1)]
    for name, of in contenders.items():
        cells = [cell(of.get(m)) for m in measures]
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {max(len(v['values']) for v in of.values())} |")
    return [*lines, ""]


def cell(of):
    if of is None:
        return ""
    spread = Spread(of["median"], of["q1"], of["q3"], len(of["values"]))
    text = number(spread.median)
    if spread.rounds > 1:
        text += f" ({number(spread.q1)} – {number(spread.q3)})"
    return text

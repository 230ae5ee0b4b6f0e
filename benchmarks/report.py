"""The measured part of docs/performance.md and its figure, from what ``benchmarks.em --json`` kept.

    python -m benchmarks.report [docs/performance.json]

The tables replace what stands between the two marks of the page beside the file, the figure has the file's name.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# How many times faster than a peer a step is to be, and how many times the floor it may take.
GOALS = {
    "scikit-learn": {"i": 40, "ii": 40, "iii": 40, "iv": 40, "iv-diagonal": 20, "v": 12},
    "mclust": {"ii": 7, "iii": 40, "iv": 40, "v": 12},
    "floor": {"ii": 4, "iii": 4, "iv": 2, "v": 2},
    "target": {"ii": 500, "iii": 150, "iv": 120, "v": 20},
}


def write_between(page: Path, name: str, text: str) -> None:
    """Put a text between the two marks of this name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def table(head: list[str], lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])


def _against(row: dict[str, Any], peer: str) -> str:
    found = row["peers"].get(peer)
    if found is None:
        return "–" if peer in row["missing"] else ""
    goal = GOALS.get(peer, {}).get(row["workload"])
    return f"{found['ms']:.3g} ms, {found['ratio']:.1f}×" + ("" if goal is None else f" (goal {goal}×)")


def _steps(rows: list[dict[str, Any]]) -> str:
    peers = list(dict.fromkeys(name for row in rows for name in (*row["peers"], *row["missing"])))
    lines = []
    for row in rows:
        goal = GOALS["floor"].get(row["workload"])
        floor = f"{row['to_floor']:.2f}" + ("" if goal is None else f" (goal {goal})")
        name, size, taken = row["workload"], f"{row['rows']:,}", f"{row['ms']:.3g}"
        lines.append([name, size, taken, *(_against(row, peer) for peer in peers), floor])
    missing = {reason: None for row in rows for reason in row["missing"].values()}
    versions = {f"{name} {p['version']}": None for row in rows for name, p in row["peers"].items()}
    notes = [f"Versions: {', '.join(versions)}."] * bool(versions) + [f"Missing: {reason}." for reason in missing]
    return "\n\n".join([table(["workload", "rows", "step, ms", *peers, "times the floor"], lines), *notes])


def _target(row: dict[str, Any]) -> list[str]:
    cells = [row["workload"], row["method"], str(row["plain_steps"] or "–"), str(row.get("evaluations", "–"))]
    for key, form in (("ours_s", ".3g"), ("scikit_learn_s", ".3g"), ("ratio", ".0f")):
        cells.append(format(row[key], form) if key in row else "–")
    goal = GOALS["target"].get(row["workload"])
    cells[-1] += "" if goal is None else f" (goal {goal})"
    if not row["in_full"]:
        cells[-2] = f"({cells[-2]})"
    return cells


def tables(result: dict[str, Any]) -> str:
    """Everything measured, in Markdown; what was not measured is left out."""
    parts = [f"One EM step, E and M, from the same start; goals in brackets.\n\n{_steps(result['steps'])}"]
    if result["targets"]:
        head = ["workload", "method", "plain steps", "evaluations, accelerated", "ours, s", "scikit-learn, s", "ratio"]
        once = [row["workload"] for row in result["targets"] if row.get("turns") == 1]
        text = (
            'Until truly within 1e-6 nats per row of the optimum, by the method that `acceleration="auto"` takes; evaluations '
            "count looks at the information too; in brackets scikit-learn's time is that of a step times the number of plain ones"
            f"{'; timed once: ' + ', '.join(once) if once else ''}:\n\n"
        )
        parts.append(text + table(head, [_target(row) for row in result["targets"]]))
    if result["memory"]:
        lines = [
            [
                r["workload"],
                f"{r['data_mb']:.1f}",
                f"{r['ours_mb']:.2f}",
                f"{r['scikit_learn_mb']:.0f}" if "scikit_learn_mb" in r else "–",
            ]
            for r in result["memory"]
        ]
        head = ["workload", "data, MB", "ours, MB", "scikit-learn, MB"]
        parts.append("Most memory that a step holds beyond the data:\n\n" + table(head, lines))
    if result["threads"]:
        lines = [
            [r["workload"], f"{r['ratio']:.2f}×", "the same" if r["same_bits"] else "different"]
            for r in result["threads"]
        ]
        text = f"Two threads beside one, on the clock ({result['processors']} processors; goal 1.7× on iii to v):\n\n"
        parts.append(text + table(["workload", "faster", "bits of the result"], lines))
    if result["coins"]:
        lines = []
        for r in result["coins"]:
            cells = ["–", "–", "as counts"]
            if "ratio" in r:
                cells = [f"{r['row_by_row_ms']:.3g}", f"{r['ratio']:.0f}×", f"{r['ratio_with_collapse']:.0f}×"]
            lines.append([f"{r['bags']:,}", f"{r['ms']:.3g}", *cells])
        head = ["bags", "step, ms", "row by row, ms", "ratio", "collapse and 100 steps"]
        text = "A step of two coins on distinct bags, beside the step over all with `scipy.stats.binom`:\n\n"
        parts.append(text + table(head, lines))
    fits = "; ".join(f"{name} {taken:.0f} ms" for name, taken in result["fits"].items())
    parts.append(f"Whole fits of small data, default starts and standard errors: {fits}.")
    parts.append(f"An import of em beside one of NumPy and scipy.special: {result['import_ratio']:.2f}× (goal 1.1×).")
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    where = f"{result['machine']}, {result['processors']} processors, Python {result['python']}, {versions}"
    parts.append(f"Measured by `{result['command']}` on {where}; load {result['load']:.1f} at the end.")
    return "\n\n".join(parts)


def figure(result: dict[str, Any], file: Path) -> None:
    """How many times faster than each peer a step is, and the goals."""
    from matplotlib.figure import Figure

    rows = result["steps"]
    peers = list(dict.fromkeys(name for row in rows for name in row["peers"]))
    drawn = Figure(figsize=(7, 3.5), layout="constrained")
    axes = drawn.subplots()
    width = 0.8 / max(len(peers), 1)
    for i, peer in enumerate(peers):
        at = [(j + i * width, row) for j, row in enumerate(rows) if peer in row["peers"]]
        bars = axes.bar([x for x, _ in at], [row["peers"][peer]["ratio"] for _, row in at], width, label=peer)
        for (x, row), bar in zip(at, bars, strict=True):
            goal = GOALS.get(peer, {}).get(row["workload"])
            if goal is not None:
                edge = bar.get_width() / 2
                label = "goal" if (i, x) == (0, at[0][0]) else "_one of many"
                axes.hlines(goal, x - edge, x + edge, color="black", linewidth=2, label=label)
    axes.set_yscale("log")
    axes.set_ylim(bottom=1)
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}×")
    axes.set_xticks([j + width * (len(peers) - 1) / 2 for j in range(len(rows))], [row["workload"] for row in rows])
    axes.set_xlabel("workload")
    axes.set_ylabel("times faster, one step")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    drawn.savefig(file, dpi=150)


def main() -> None:
    kept = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/performance.json")
    result, page = json.loads(kept.read_text()), kept.with_suffix(".md")
    write_between(page, "measured", tables(result))
    figure(result, kept.with_suffix(".png"))


if __name__ == "__main__":
    main()

"""What `rote study` prints without training: the studies, how far they are, what they cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rote.experiments.studies.result import StudyResult


def show_studies(*, as_json: bool) -> None:
    """Print the names of all studies, and what each asks."""
    from rote.core.console import print_result, print_table, table
    from rote.experiments.studies.factor import factor_names, load_factor

    factors = [load_factor(name) for name in factor_names()]
    if as_json:
        print_result(
            {
                "studies": [
                    {
                        "name": factor.name,
                        "group": factor.group,
                        "question": factor.question,
                        "paper": factor.finding,
                        "source": factor.source,
                        "keeps": factor.keeps,
                        "values": {s: list(d.values) for s, d in factor.designs.items()},
                    }
                    for factor in factors
                ]
            }
        )
        return
    rows = [[f.name, f.group, f.question, ", ".join(f.designs["cpu"].values)] for f in factors]
    built = table("studies", ["name", "group", "question", "values at cpu scale"], rows)
    for column in built.columns:
        column.justify = "left"
    print_table(built)


def show_states(folder: Path, *, as_json: bool) -> None:
    """Print how far the studies of a folder are."""
    from rote.core.console import print_result, print_table, table
    from rote.core.errors import RunError
    from rote.experiments.studies.status import study_states

    states = study_states(folder)
    if not states:
        raise RunError(f"{folder} holds no study; give the --out of `rote study`")
    if as_json:
        print_result({"studies": states})
        return
    rows = [
        [
            state["study"],
            f"{state['finished']} of {state['runs']}",
            ", ".join(state["active"]) or ("done" if state["done"] else "waiting"),
            "" if state["seconds_left"] is None else f"about {_time(state['seconds_left'])}",
            state["sentence"] or "",
        ]
        for state in states
    ]
    built = table("studies", ["study", "runs", "at work", "left", "result"], rows)
    for column in (built.columns[2], built.columns[4]):
        column.justify = "left"
    print_table(built)


def show_plan(found: dict[str, Any], *, scale: str, as_json: bool) -> None:
    """Print what studies would cost."""
    from rote.core.console import print_result, print_table, print_text, table

    if as_json:
        print_result(found)
        return
    total = found["total"]
    if "ended" in total:
        _show_counts(found, scale=scale)
        return
    rows = [
        [
            row["study"],
            f"{row['runs']:,}",
            f"{row['new_runs']:,}",
            f"{row['images_trained']:,}",
            f"{row['flops']:.3g}",
            _time(row["seconds"]),
        ]
        for row in [*found["studies"], {"study": "all", **total}]
    ]
    columns = ["study", "runs", "of its own", "images trained on", "FLOP", "time of one worker"]
    print_table(table(f"plan at {scale} scale", columns, rows))
    if "gpu" in found:
        gpu = found["gpu"]
        print_text(
            f"one {gpu['name']} at {gpu['tflops']:g} TFLOP/s (float32), {gpu['utilization']:.0%} of "
            "it used"
        )
    seconds = total["seconds"] / total["workers"]
    print_text(f"with {total['workers']} workers: about {_time(seconds)}")


def _show_counts(found: dict[str, Any], *, scale: str) -> None:
    """Print the runs of studies with a trainer, and what is known of their time."""
    from rote.core.console import print_table, print_text, table

    total = found["total"]
    known = total["seconds"] is not None
    rows = [
        [row["study"], f"{row['runs']:,}", f"{row['new_runs']:,}"]
        + ([_time(row["seconds"])] if known else [])
        for row in [*found["studies"], {"study": "all", **total}]
    ]
    columns = ["study", "runs", "of its own", *(["left for one worker"] if known else [])]
    print_table(table(f"plan at {scale} scale", columns, rows))
    if known:
        left = _time(total["seconds"] / total["workers"])
        print_text(
            f"with {total['workers']} workers: about {left} left, by the {total['ended']} runs that have "
            "ended"
        )
    else:
        print_text(
            "what a run of the trainer takes is not known yet; it is once the first has ended"
        )


def show_results(results: list[StudyResult], *, whole: bool, as_json: bool) -> None:
    """Print what studies found; ``whole``: of all studies, so that each is named."""
    from rote.core.console import print_result, print_text, say

    if as_json:
        shown = [result.to_json() for result in results]
        print_result({"studies": shown} if whole else shown[0])
        return
    for result in results:
        print_text(f"{result.name}: {result.sentence}" if whole else result.sentence)
        if line := tolerances(result.to_json()["cells"]):
            say(f"{result.name}: {line}" if whole else line)


def tolerances(cells: list[dict[str, Any]]) -> str:
    """Say the ratio's tolerance at every value, from the runs' medians; empty where none is known."""
    found: dict[str, list[float]] = {}
    unit = ""
    for cell in cells:
        for run in cell["runs"]:
            if run.get("tolerance"):
                found.setdefault(cell["value"], []).append(run["tolerance"]["median"])
                unit = run["tolerance"]["unit"]
    if not found:
        return ""
    each = ", ".join(
        f"{value}: {min(medians):.3g}"
        + (f" to {max(medians):.3g}" if max(medians) > min(medians) else "")
        for value, medians in found.items()
    )
    return f"tolerance of the ratio, in {unit} (medians of the runs): {each}"


def _time(seconds: float) -> str:
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.1f} min"

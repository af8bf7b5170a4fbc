"""What a person sees beside the rates: quality, definitions over whole sets, rates per caption."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rote.core.console import console, say, table

if TYPE_CHECKING:
    from rote.memorization.audit.per_group import GroupedRates
    from rote.memorization.audit.result import SupplementaryMetrics
    from rote.metrics.population import Population
    from rote.metrics.quality import Quality

MOST_GROUPS = 10


def show_supplement(found: SupplementaryMetrics) -> None:
    """Print what stands beside the rates."""
    if found.quality is not None:
        _show_quality(found.quality)
    if found.population is not None:
        _show_population(found.population)
    if found.clusters is not None:
        _show_groups(found.clusters)


def _show_quality(found: Quality) -> None:
    sides = [found.generated, found.control]
    rows = []
    for name in ("frechet", "precision", "recall", "density", "coverage"):
        cells = []
        for side in sides:
            if side is not None:
                cells.append(
                    str(side.frechet if name == "frechet" else getattr(side.manifold, name))
                )
        rows.append(["Fréchet distance" if name == "frechet" else name, *cells])
    columns = ["quality", "generated"]
    if found.control is not None:
        columns.append("training" if found.control_of == "training" else "further held-out")
    against = "held-out" if found.against == "holdout" else "training"
    title = (
        f"quality against {found.count:,} {against} items, {found.count:,} of each side, in "
        f"{found.space}"
    )
    console.print(table(title, columns, rows))
    if min(found.distinct) < found.count:
        say(
            f"quality: of {found.count:,} items taken of each side {found.distinct[0]:,} distinct "
            f"generated and {found.distinct[1]:,} distinct {against} ones; repeats are no neighbors, and "
            "recall of few distinct items is flattering: read coverage"
        )
    if found.against == "training":
        say(
            "quality is against the training set itself, which a copier matches best; give --holdout"
        )


def _show_population(found: Population) -> None:
    rows = []
    if found.three_sample is not None:
        test = found.three_sample
        control = "none" if test.control is None else f"{test.control:.3g}"
        rows.append(["C_T (below 0: copying)", str(test.statistic), control])
        rows.append(["nearer than held-out (0.5: no copying)", str(test.nearer), "0.5"])
    if found.likelihood is not None:
        name = "likelihood gap less held-out's (below 0: copying)"
        rows.append([name, str(found.likelihood.excess), "0"])
    if found.accuracy is not None:
        control = "none" if found.accuracy_control is None else str(found.accuracy_control.accuracy)
        rows.append(["1-NN accuracy (below 0.5: copying)", str(found.accuracy.accuracy), control])
    title = f"definitions over whole sets, in {found.space}"
    console.print(table(title, ["definition", "generated", "held out"], rows))
    for name, reason in found.reasons.items():
        say(f"{name}: {reason}")
    items = found.compared["generated"]
    if found.three_sample is not None and (draws := round(found.three_sample.draws[0])) < items:
        say(
            f"C_T counts {items:,} generated items as {draws:,} draws: repeats, near ones and what "
            "`--cluster-by` puts together are no further evidence"
        )
    accuracy = found.accuracy
    if accuracy is not None and min(accuracy.distinct) < accuracy.count:
        made, real = accuracy.distinct
        say(
            f"the 1-NN accuracy took {accuracy.count:,} items of each side, and {made:,} generated and "
            f"{real:,} training ones of these are distinct: a repeat is its own nearest, which draws the "
            "accuracy to 1; the three-sample test takes repeats as one draw"
        )
    used = found.compared
    if used["count"] < used["training"] and found.accuracy is not None:
        say(
            f"the 1-NN accuracies took {used['count']:,} of {used['training']:,} training items: copies "
            "of the rest look fresh to them"
        )


def _show_groups(found: GroupedRates) -> None:
    rows = [[name, str(rate), f"{rate.design_effect:.3g}"] for name, rate in found.rates.items()]
    title = f"rates with the {found.by} as the unit"
    console.print(table(title, ["memorized by", "rate", "design effect"], rows))
    groups = sorted(found.groups, key=lambda row: -row[1].value)
    shown = [[name, str(rate)] for name, rate in groups[:MOST_GROUPS]]
    console.print(
        table(f"the {found.by}s copied most, of {len(groups):,}", [found.by, "rate"], shown)
    )

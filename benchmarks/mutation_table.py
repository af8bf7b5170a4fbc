"""The faults of `mutations.py`: file, text, what takes its place, and the tests that should see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault: ``old`` occurs once in ``file`` (below src/rote) and becomes ``new``."""

    file: str
    what: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def room(self) -> str:
        """The room of the file."""
        return self.file.partition("/")[0]


def _of(file: str, *tests: str) -> _Module:
    return _Module(file, tuple(f"tests/{test}" for test in tests))


@dataclass(frozen=True)
class _Module:
    file: str
    tests: tuple[str, ...]

    def __call__(self, what: str, old: str, new: str) -> Fault:
        return Fault(self.file, what, old, new, self.tests)


seeds = _of("core/seeds.py", "unit/core/test_seeds.py")
precision = _of("core/precision.py", "unit/core/test_precision.py")
config = _of("core/config.py", "unit/core/test_config.py")
atomic_files = _of("core/atomic_files.py", "unit/core/test_run_folder.py")
rates = _of(
    "stats/rates.py",
    "unit/stats/test_rates.py",
    "numerics/memorization/test_audit_statistics.py",
)
sequential = _of("stats/sequential.py", "unit/stats/test_sequential.py")
clustered = _of("stats/clustered.py", "unit/stats/test_clustered.py")
roc = _of("stats/roc.py", "unit/stats/test_roc.py")
agreement = _of("stats/agreement.py", "unit/stats/test_agreement.py")
resample = _of("data/resample.py", "unit/data/test_resample.py")
scaling = _of("data/scaling.py", "unit/data/test_scaling.py")
dataset = _of("data/dataset.py", "unit/data/test_dataset.py", "properties/data")
labels = _of("data/labels.py", "unit/data/files/test_arrays.py", "unit/data/test_load.py")
variants = _of("data/variants.py", "unit/data/test_variants.py")
shards = _of("data/shards/read.py", "unit/data/shards/test_write.py")
brute_force = _of(
    "neighbors/brute_force.py",
    "properties/neighbors/test_search.py",
    "properties/neighbors/test_radius.py",
)
search = _of(
    "neighbors/search.py",
    "unit/neighbors/test_search.py",
    "unit/neighbors/out_of_core/test_search.py",
)
filters = _of(
    "neighbors/cpu/filter.py",
    "numerics/neighbors/test_projection.py",
    "properties/neighbors/test_search.py",
)
radius = _of("neighbors/radius/search.py", "properties/neighbors/test_radius.py")
gower = _of("spaces/gower.py", "unit/spaces/test_gower.py")
preprocess = _of(
    "spaces/preprocess.py",
    "unit/spaces/test_packaged_network.py",
    "unit/spaces/test_user_network.py",
)
pairwise = _of("spaces/pairwise.py", "unit/spaces/test_pairwise.py")
low_resolution = _of("spaces/low_resolution.py", "unit/spaces/test_space.py")
precision_recall = _of("metrics/precision_recall.py", "unit/metrics/test_quality.py")
frechet = _of("metrics/frechet.py", "unit/metrics/test_quality.py")
data_copying = _of("metrics/data_copying.py", "unit/metrics/test_population.py")
mann_whitney = _of("stats/mann_whitney.py", "unit/metrics/test_population.py")
likelihood = _of("metrics/feature_likelihood.py", "unit/metrics/test_population.py")
accuracy = _of("metrics/nn_accuracy.py", "unit/metrics/test_population.py")
curve = _of("emm/curve.py", "numerics/emm/test_curve.py")
emm_run = _of("emm/run.py", "unit/emm/test_run.py")
onset = _of("emm/onset.py", "unit/emm/test_onset.py")
ratio = _of("memorization/criteria/ratio.py", "unit/memorization/criteria/test_ratio.py")
carlini = _of("memorization/criteria/carlini.py", "unit/memorization/audit/test_audit.py")
tiles = _of("memorization/criteria/tiles.py", "unit/memorization/criteria/test_tiles.py")
authenticity = _of(
    "memorization/criteria/authenticity.py", "unit/memorization/criteria/test_absolute.py"
)
gate = _of("memorization/audit/gate.py", "end_to_end/audit/test_audit.py")
matching = _of("memorization/matching.py", "unit/memorization/test_matching.py")
invariances = _of(
    "memorization/invariances.py",
    "unit/memorization/test_invariances.py",
    "unit/memorization/test_matching.py",
)
corruptions = _of(
    "memorization/corruptions/catalog.py", "unit/memorization/corruptions/test_catalog.py"
)
preconditioning = _of(
    "diffusion/preconditioning.py",
    "unit/diffusion/test_preconditioning.py",
    "numerics/diffusion/test_loss.py",
)
sample = _of(
    "diffusion/sample.py",
    "unit/diffusion/test_sample.py",
    "unit/diffusion/test_conditioning.py",
    "numerics/diffusion/test_solvers.py",
)
ema = _of("diffusion/training/ema.py", "unit/diffusion/training/test_ema.py")
optimum = _of("diffusion/optimal_denoiser.py", "unit/diffusion/test_optimal_denoiser.py")
conditioning = _of("diffusion/conditioning.py", "unit/diffusion/training/test_step.py")
sizes = _of("experiments/search/sizes.py", "unit/experiments/search/test_sizes.py")
emm_search = _of("experiments/search/search.py", "unit/experiments/search/test_search.py")
local = _of("experiments/execution/local.py", "unit/experiments/execution/test_local.py")
study = _of("experiments/studies/result_file.py", "unit/experiments/studies/test_result_file.py")
plan = _of("experiments/studies/plan.py", "end_to_end/experiments/test_study.py")
schema = _of("results/schema.py", "unit/results/test_schema.py")
neighbors_file = _of("results/neighbors.py", "unit/results/test_neighbors.py")
words = _of(
    "report/words.py", "end_to_end/test_docs.py::test_docstring_examples_run[rote.report.words]"
)
criteria_page = _of("report/audit/criteria.py", "unit/report/audit/test_page.py")
gap_chart = _of("report/charts/gap.py", "unit/report/charts/test_gap.py")
emm_page = _of("report/emm/page.py", "unit/report/test_page.py")
shard_command = _of("cli/data/shard.py", "unit/cli/data/test_shard.py")
flags = _of("cli/flags.py", "unit/cli/test_flags.py")
options = _of("cli/options.py", "end_to_end/experiments/test_study_bad_input.py")
audit_view = _of("cli/audit/audit_view.py", "end_to_end/audit/test_audit.py")
audit_command = _of("cli/audit/audit.py", "end_to_end/audit/test_audit.py")

FAULTS = (
    # core
    seeds("a seed takes one key alone", "*map(str, keys)]", "*map(str, keys[:1])]"),
    seeds("any purpose is a purpose", "    assert purpose in _PURPOSES, purpose\n", ""),
    precision(
        "float32 products may be TF32",
        'torch.set_float32_matmul_precision("highest")',
        'torch.set_float32_matmul_precision("high")',
    ),
    config("unknown keys are ignored", 'extra="forbid"', 'extra="ignore"'),
    atomic_files("a torn file stays", "temporary.unlink(missing_ok=True)", "pass"),
    atomic_files(
        "files of the next format are read",
        'if value["format_version"] > FORMAT_VERSION:',
        'if value["format_version"] > FORMAT_VERSION + 1:',
    ),
    # stats
    rates("Wilson's half width", "(z / (2 * total)) ** 2)", "(z / total) ** 2)"),
    rates(
        "the wrong bounds in Newcombe's difference",
        "low = d - math.hypot(first.value - first.low, second.high - second.value)",
        "low = d - math.hypot(first.high - first.value, second.value - second.low)",
    ),
    rates(
        "no correction for continuity",
        "numerator = max(numerator - total / 2, 0.0)",
        "numerator = max(numerator, 0.0)",
    ),
    rates("McNemar's test is one-sided", "min(1.0, 2 * float(", "min(1.0, float("),
    rates(
        "an image too few decides",
        "math.floor(needed) + 1 - rate.total",
        "math.floor(needed) - rate.total",
    ),
    sequential("two sets of weights share no alpha", "** 2 / sets", "** 2"),
    clustered("large clusters draw the mean unseen", "/ (1 - size / total)", "/ 1.0"),
    roc("the area on the other side", "auc = 1 - float(", "auc = float("),
    agreement(
        "chance agreement of one ruler with itself",
        "(both + first) * (first + neither)",
        "(both + first) * (second + neither)",
    ),
    # data
    resample("grey is rounded down", "blue * 7471 + 0x8000", "blue * 7471"),
    resample(
        "the corner is cut out, not the middle", "(height - side) // 2, (width - side) // 2", "0, 0"
    ),
    scaling("units come back on the wrong side", "* spread + self.shift", "* spread - self.shift"),
    dataset("a subset knows no seed", 'default_rng(child_seed(seed, "subset"))', "default_rng(0)"),
    dataset("balanced subsets are not nested", "[:per_class] for c", "[-per_class:] for c"),
    dataset("what is outside is inside", "not in seen", "in seen"),
    labels("classes in the order they come", "sorted(set(values))", "list(dict.fromkeys(values))"),
    variants(
        "the shares of two sources change places",
        "count = round(size * variant.second_share)",
        "count = size - round(size * variant.second_share)",
    ),
    variants(
        "the wrong images are repeated", "repeats[:: variant.every]", "repeats[: variant.every]"
    ),
    shards(
        "the first rows of a shard in place of those asked for",
        "low - shard.start, high - shard.start",
        "0, high - low",
    ),
    # neighbors
    brute_force("sums too long for float32", "EXACT_DIMENSIONS = 1024", "EXACT_DIMENSIONS = 4096"),
    brute_force("no margin for rounding", ".values + 2 * margin", ".values - 2 * margin"),
    brute_force(
        "the radius itself does not count",
        "np.flatnonzero(sq <= sq_radius)",
        "np.flatnonzero(sq < sq_radius)",
    ),
    search(
        "ties of two results in any order",
        "np.lexsort((indices, sq), axis=1)",
        "np.lexsort((-indices, sq), axis=1)",
    ),
    search("k may be too large", "if not 1 <= k <= len(references):", "if not 1 <= k:"),
    filters(
        "no margin of a float32 product",
        "sq_length = (own.length + other.length) ** 2",
        "sq_length = 0.0",
    ),
    radius(
        "what is beyond the radius is surely near",
        "sq_radius * (1 - slack), sq_radius * (1 + slack)",
        "sq_radius * 1.5, sq_radius * 1.5",
    ),
    # spaces
    gower(
        "a category counts twice",
        '0.5 if column.kind == "categorical"',
        '1.0 if column.kind == "categorical"',
    ),
    gower(
        "not brought back to own units",
        "np.divide(weights, scale, out",
        "np.divide(weights, 1, out",
    ),
    preprocess("another mean", '"lite": ((127 / 255,) * 3,', '"lite": ((128 / 255,) * 3,'),
    preprocess("the corner is cut out", "(side - self.crop) // 2", "0 * (side - self.crop)"),
    pairwise(
        "the mean tile, not the worst",
        "grid=grid).max(axis=(1, 2))",
        "grid=grid).mean(axis=(1, 2))",
    ),
    pairwise("candidates of another query", "theirs[place[row]] - own", "theirs[place[0]] - own"),
    low_resolution(
        "means in units of 1",
        "adaptive_avg_pool2d(prepared, size)",
        "adaptive_avg_pool2d(prepared / 255, size)",
    ),
    # metrics
    precision_recall(
        "density of three neighbors",
        "PRECISION_K, DENSITY_K = 3, 5",
        "PRECISION_K, DENSITY_K = 3, 3",
    ),
    precision_recall(
        "recall asks the generated side",
        "(cross <= made_small[:, None]).any(axis=0)",
        "(cross <= made_small[:, None]).any(axis=1)",
    ),
    frechet("half of the shared spread", "- 2 * float(s.sum())", "- float(s.sum())"),
    frechet("covariance over N", "rows / math.sqrt(len(rows) - 1)", "rows / math.sqrt(len(rows))"),
    mann_whitney(
        "the sides change places", "return 1 - above / (m * n), z", "return above / (m * n), z"
    ),
    data_copying(
        "cells weigh by generated items",
        "weights.append(theirs.items)",
        "weights.append(mine.items)",
    ),
    likelihood(
        "the gap has the wrong sign",
        "float(fresh.mean()) - float(seen.mean())",
        "float(seen.mean()) - float(fresh.mean())",
    ),
    accuracy(
        "an item is its own neighbor",
        "(members[kind, at] - 1) / (total[at] - 1)",
        "members[kind, at] / total[at]",
    ),
    # emm
    curve(
        "a one-sided interval",
        "tails = np.array([(1 - confidence) / 2, 0.5, (1 + confidence) / 2])",
        "tails = np.array([1 - confidence, 0.5, confidence])",
    ),
    curve(
        "above is below",
        '"above" if math.sqrt(smallest * largest) < value',
        '"above" if math.sqrt(smallest * largest) > value',
    ),
    curve(
        "the slope of the other side",
        "beyond = epsilon > self.epsilon",
        "beyond = epsilon < self.epsilon",
    ),
    curve("every run counts once a size", "tables[run.size] + table if", "table if"),
    emm_run(
        "a rate decides without its interval",
        "if rate.low >= threshold:",
        "if rate.value >= threshold:",
    ),
    onset("every look spends all of alpha", "<= spent_alpha(alpha, look):\n", "<= alpha:\n"),
    onset("twice the risk", "math.exp(t)) - risk,", "math.exp(t)) - 2 * risk,"),
    # memorization
    ratio("a tie is a copy", "return (near < far)", "return (near <= far)"),
    ratio("a copy of a doubled image is none", " | ((nn1_sq == 0) & (nn2_sq == 0))", ""),
    carlini("the whole mean of the crowd", "alpha: float = 0.5", "alpha: float = 1.0"),
    tiles(
        "the mean tile, not the worst",
        "grid=self.grid).max(axis=(1, 2))",
        "grid=self.grid).mean(axis=(1, 2))",
    ),
    tiles("what is proven is unproven", "(bound < self.threshold)", "(bound >= self.threshold)"),
    authenticity(
        "the fraction upside down",
        "np.divide(near, own, out=found",
        "np.divide(own, near, out=found",
    ),
    gate("the gate knows no interval", "if rate.low > limit:", "if rate.value > limit:"),
    matching("the nearest of the own group", "other = apart(", "other = ~apart("),
    invariances(
        "a moved image has fewer pixels", "return height * width / (", "return 1.0 + 0 * ("
    ),
    corruptions("tone without brightness", "+ 127.5 + 127.5 * strength)", "+ 127.5)"),
    corruptions(
        "every image has the same noise",
        "np.random.SeedSequence(seed).spawn(count)",
        "[np.random.SeedSequence(seed)] * count",
    ),
    # diffusion
    preconditioning(
        "c_skip of the noise", "c_skip = self.sigma_data**2 / total", "c_skip = sigma**2 / total"
    ),
    preconditioning(
        "a weight of one power less",
        "/ (sigma * self.sigma_data) ** 2",
        "/ (sigma * self.sigma_data)",
    ),
    sample(
        "Heun corrects where it was",
        "0.5 * (first + slope(moved, following))",
        "0.5 * (first + slope(x, following))",
    ),
    sample("guidance of one less", "free + self._strength * (", "free + (self._strength - 1) * ("),
    sample(
        "no noise of its own for each churn",
        '_noise(seeds, "churn", number, shape',
        '_noise(seeds, "churn", 0, shape',
    ),
    ema("the average forgets", "self._current, 1 - decay)", "self._current, decay)"),
    optimum("half the temperature", "scale = -0.5 / sigma", "scale = -1.0 / sigma"),
    conditioning(
        "random labels of one seed", 'child_seed(seed, "labels")', 'child_seed(0, "labels")'
    ),
    # experiments
    sizes(
        "the largest size is not balanced",
        "search.max_size or available) // multiple * multiple",
        "search.max_size or available)",
    ),
    emm_search(
        "one run more than allowed",
        "if len(points) >= search.max_runs:",
        "if len(points) > search.max_runs:",
    ),
    emm_search(
        "repeats begin anew", "range(sizes.count(nearest), replicates)", "range(replicates)"
    ),
    local("one restart too many", "if restarts == RESTARTS:", "if restarts > RESTARTS:"),
    study(
        "a claim is turned round",
        '(low > 0) == (claim.expect == "more")',
        '(low > 0) != (claim.expect == "more")',
    ),
    study("one agreement is enough", 'and "not decided" not in found', ""),
    plan(
        "a baseline has one run",
        "chosen.baseline_seeds if value == design.baseline else 1",
        "1",
    ),
    # report
    words("a true minus is a plus", '("+" if value > 0 else', '("+" if value != 0 else'),
    words("a miss is rounded to certainty", "if not exact and float(text) in (0, 1)", "if exact"),
    words("a script may end its element", 'for character in "<>&":', 'for character in ">&":'),
    criteria_page("no excess is an excess", "or excess.low > 0:", "or excess.high > 0:"),
    gap_chart("a line of no gap at 0", 'inline([{"gap": 1.0}])', 'inline([{"gap": 0.5}])'),
    # cli
    shard_command("GiB are GB", "_BINARY if binary else _UNITS", "_UNITS if binary else _BINARY"),
    flags("an argument keeps its name", '    "dataset": "--data",\n', ""),
    options(
        "an audit replaces the report of a study",
        '("emm", "study", "studies")',
        '("emm",)',
    ),
    flags("an argument without a flag leaves a blank", 'f"{flag} " if flag else ""', 'f"{flag} "'),
    audit_view("the control less the rate", "newcombe(rate, control)", "newcombe(control, rate)"),
    audit_command(
        "a gate ends well always", "raise typer.Exit(found.gate.exit_code)", "raise typer.Exit(0)"
    ),
    # results
    schema(
        "a rate may lie outside its interval",
        "0 <= rate.low <= rate.value <= rate.high <= 1",
        "0 <= rate.low <= rate.high <= 1",
    ),
    schema("a newer format is read", "    read_json(path)  # says", "    # says"),
    schema(
        "what a model does not know is not written", "    assert same,", "    assert same or True,"
    ),
    neighbors_file("verdicts of another audit", "memorized.sum() != rate.count", "False"),
    neighbors_file("the ratio upside down", "np.divide(nn1, nn2, out", "np.divide(nn2, nn1, out"),
    clustered("few clusters are believed", "UNSEEN = 4", "UNSEEN = 0"),
    agreement("kappa's influence without chance", "agree - float(kappa_of(cells))", "agree - 0.0"),
    data_copying(
        "cells that share groups are independent",
        "share @ (together / np.outer(scale, scale)) @ share",
        "share @ share",
    ),
    likelihood(
        "the excess of all items", "_gap(parts, trained, scored)", "_gap([made], trained, scored)"
    ),
    variants(
        "unseen items of all classes", "        population = pool\n", "        population = first\n"
    ),
)

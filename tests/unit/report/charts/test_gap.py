"""Charts and texts of the gap and the onset, from the content of result files."""

import json

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined

from rote.emm.onset import onset_json
from rote.report import words
from rote.report.charts.chart import theme
from rote.report.charts.gap import gap_curves, onset_chart
from rote.results.gap import GapSnapshot, Onset

CURVE = {"sigmas": [0.1, 0.8, 80.0], "gap": [0.02, 0.3, None], "low": [0.01, 0.2, None]}
CURVE |= {"high": [0.03, 0.4, None], "points": 512, "holdout": 1733}
RUNS = [
    (n, [(t, 0 if t < 50 * n else 60, 100) for t in range(800, 8001, 800)])
    for n in (8, 32, 64, 128, 256)
]


def svg(spec):
    """Draw a chart as the page would, in both themes; an error of Vega's is raised."""
    drawn = [
        vl_convert.vegalite_to_svg({**spec, "width": 600, "config": theme(dark=dark)})
        for dark in (False, True)
    ]
    return drawn[0]


def page(macro, **values):
    environment = Environment(
        loader=PackageLoader("rote.report"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters |= {"plain": words.plain, "one": words.one}
    # macros.html.j2 names these; what is tested here does not call them
    environment.filters |= dict.fromkeys(("share", "rate", "interval"), str)
    call = ", ".join(f"{key}={key}" for key in values)
    source = "{% from 'gap.html.j2' import " + macro + " %}{{ " + macro + "(" + call + ") }}"
    return environment.from_string(source).render(**values)


def test_one_line_for_each_snapshot_and_no_point_without_a_gap():
    entries = [
        GapSnapshot.model_validate({"images_seen": seen, **CURVE}, strict=False)
        for seen in (800, 1600)
    ]
    spec = gap_curves(entries)
    shown = json.dumps(spec)
    assert '{"gap": 1.0}' in shown  # the line of a model that has seen nothing of its own images
    assert shown.count('"sigma": 0.8') % 2 == 0
    assert '"sigma": 80' not in shown
    assert "images seen" in svg(spec)


def test_the_onset_is_drawn_with_its_law_and_its_open_ends():
    value = onset_json(RUNS, control=(0, 500), budgets=(4000,))
    value["needed"].append({"images": 10**9, "size": None, "extrapolated": True})
    spec = onset_chart(Onset.model_validate(value, strict=False))
    wanted = {8: "earlier", 32: "bracketed", 64: "bracketed", 128: "bracketed", 256: "later"}
    assert dict(_kinds(spec)) == wanted
    assert "training-set size" in svg(spec)
    text = page("onset_section", onset=value, items="rows")
    assert "(extrapolated)" in text
    assert "Onset in rows seen" in text and "Rows seen when memorization began" in text
    assert f"{value['advice'][1]['stop_before']:,}" in text
    assert "more training samples than this law can tell" in text


def _kinds(value):
    """Yield (size, kind) of every row of runs anywhere in a specification."""
    if isinstance(value, dict):
        if "kind" in value and "size" in value:
            yield value["size"], value["kind"]
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _kinds(part)


def test_without_a_law_the_page_says_why():
    value = onset_json(RUNS[-2:], control=(0, 500))
    assert value["law"] is None
    assert "3 are needed" in page("onset_section", onset=value, items="rows")
    assert "later" in json.dumps(onset_chart(Onset.model_validate(value, strict=False)))


def test_the_gap_section_says_what_it_stands_on():
    text = page("gap_section", points=512, holdout=1733)
    assert "1,733 unseen samples" in text
    assert "512 noisy" in text

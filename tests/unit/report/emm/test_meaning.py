"""What an EMM says for the reader's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from report_page import edit
from report_runs import emm_run

from rote.report.emm.meaning import for_your_set, rate_at
from rote.results.emm import BandRow, EmmFile
from rote.results.schema import read_result


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return emm_run(tmp_path_factory.mktemp("emm"), sizes=(16, 64, 128, 256))


@pytest.mark.parametrize(
    ("count", "emm", "first", "second"),
    [
        (1200, {}, "You have 1,200 images. Up to about", "had 256: what share of copies all 1,200"),
        (60, {}, "You have 60 images. Trained on all of them this model can only copy", "copies ("),
        (200, {}, "You have 200 images. Up to about", "of what it makes would be copies ("),
        (
            1200,
            {"status": "above", "value": None, "high": None},
            "Up to 64 of them at least",
            "does not know",
        ),
        (
            1200,
            {"status": "below", "value": None, "low": None},
            "From 128 images on, at the latest",
            "does not know",
        ),
    ],
)
def test_it_is_told_for_the_set_that_was_searched(
    run_dir: Path, count: int, emm: dict[str, Any], first: str, second: str
) -> None:
    file = read_result(run_dir / "emm.json", EmmFile)
    told = for_your_set(
        file.model_copy(
            update={
                "data": file.data.model_copy(update={"count": count}),
                "emm": file.emm.model_copy(update=emm),
            }
        )
    )
    assert first in told[0] and second in told[1]


def test_of_another_rate_the_rate_is_said(run_dir: Path) -> None:
    file = read_result(run_dir / "emm.json", EmmFile).model_copy(update={"epsilon": 0.9})
    assert "this model copies at least 10 % of the time." in for_your_set(file)[0]
    below = file.emm.model_copy(update={"status": "below", "value": None, "low": None})
    told = for_your_set(file.model_copy(update={"emm": below}))[0]
    assert told.endswith("at the latest, this model copies less than 10 % of the time.")


def test_what_is_unknown_stays_so(run_dir: Path) -> None:
    edit(run_dir / "emm.json", lambda e: e["emm"].update(status="unknown"))
    (told,) = for_your_set(read_result(run_dir / "emm.json", EmmFile))
    assert told.endswith("is not known.")


def test_rates_between_sizes_are_interpolated_and_never_beyond() -> None:
    band = tuple(
        BandRow(size=size, rate=rate, low=rate - 0.1, high=rate)
        for size, rate in ((10.0, 0.9), (40.0, 0.5))
    )
    middle = rate_at(band, 20)
    assert middle is not None and middle.rate == pytest.approx(0.7)
    assert middle.low == pytest.approx(0.6)
    assert rate_at(band, 41) is None and rate_at(band, 9) is None

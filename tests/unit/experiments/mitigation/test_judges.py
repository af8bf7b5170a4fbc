"""Judges are read from text, and those of one ruler share an audit."""

from pathlib import Path

import numpy as np
import pytest

from rote.core.errors import ConfigError
from rote.data.load import load_images
from rote.experiments.mitigation.judges import Bench, Judge

DIGITS = load_images("digits")


def test_judges_of_one_ruler_share_an_audit_and_the_first_is_first(tmp_path: Path) -> None:
    texts = ["ratio+flip", "ratio", "tiles+flip", "absolute=12"]
    bench = Bench(
        texts, DIGITS.take(np.arange(60)), DIGITS.take(np.arange(60, 200)), seed=0, device="cpu"
    )
    assert [[j.text for j in group] for group in bench.groups] == [
        ["ratio+flip", "tiles+flip"],
        ["ratio", "absolute=12"],
    ]
    samples = DIGITS.take(np.arange(20, 100))
    mirrored = type(samples)(np.ascontiguousarray(samples.items[:, :, ::-1]))
    bench.audit(mirrored, tmp_path, "mirrored")
    assert bench.folders("mirrored") == ["audits/mirrored", "audits/mirrored-2"]
    found = {judge.text: seen.memorized for judge, seen in bench.seen(tmp_path, "mirrored").items()}
    assert list(found) == texts
    assert found["ratio+flip"][:40].all()
    assert found["ratio"].sum() < 5
    assert bench.rate(mirrored).count == found["ratio+flip"].sum()
    same = bench.quality(samples, samples)
    assert all((each.loss.low, each.loss.high) == (0, 0) for each in same.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rato", "did you mean 'ratio'"),
        ("ratio+flop", "`invariances` 'flop' is unknown"),
        ("ratio=0.3", "absolute alone takes a threshold"),
    ],
)
def test_a_wrong_judge_is_said_at_once(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Judge.parse(text)


def test_a_judge_twice_or_without_a_threshold_is_said(tmp_path: Path) -> None:
    training, few = DIGITS.take(np.arange(60)), DIGITS.take(np.arange(60, 101))
    with pytest.raises(ConfigError, match="is given twice"):
        Bench(["ratio", "ratio"], training, few, seed=0, device="cpu")
    bench = Bench(["ratio", "calibrated"], training, few, seed=0, device="cpu")
    with pytest.raises(ConfigError, match="too few to calibrate"):
        bench.audit(DIGITS.take(np.arange(50)), tmp_path, "few")

"""Plans grow with what is audited, shrink their blocks to fit, and refuse in a line what cannot fit."""

import math

import pytest

from rote.core.errors import ConfigError
from rote.core.memory import blocks
from rote.data.load import load_images
from rote.memorization.audit.audit import audit
from rote.memorization.audit.options import AuditOptions
from rote.memorization.plan import PlannedSide, default_memory, plan_audit, within_memory

GB = 10**9


def sides(size: int, generated: int, training: int, *, mapped: bool = True) -> list[PlannedSide]:
    shape = (size, size, 3)
    return [
        PlannedSide("generated", generated, shape, mapped=mapped),
        PlannedSide("training", training, shape, mapped=mapped),
    ]


def test_less_memory_makes_smaller_blocks_and_never_a_larger_peak():
    peaks = []
    for memory in (16 * GB, 2.2 * GB, 1.8 * GB):
        plan = plan_audit(sides(512, 1000, 10_000), memory=memory, copies=42)
        assert plan.peak <= memory
        peaks.append((plan.blocks.block, plan.peak))
    assert peaks == sorted(peaks, reverse=True)
    assert peaks[0][0] > peaks[-1][0]


def test_short_references_that_do_not_fit_are_searched_block_by_block():
    many = sides(64, 1000, 300_000)
    assert math.isinf(plan_audit(many, memory=32 * GB, copies=100).blocks.references)
    plan = plan_audit(many, memory=2 * GB, copies=100)
    assert plan.blocks.references == 0
    assert plan.peak <= 2 * GB


def test_what_cannot_fit_is_refused_with_its_need():
    with pytest.raises(
        ConfigError, match=r"`memory` is 1,000 MB, .* needs .* MB at the least"
    ) as at:
        plan_audit(sides(1024, 100, 900, mapped=False), memory=GB, copies=100)
    assert "for the training side" in str(at.value)
    assert "\n" not in str(at.value)


def test_rows_of_networks_count():
    plain = plan_audit(sides(64, 1000, 50_000), memory=32 * GB, copies=100)
    wide = plan_audit(sides(64, 1000, 50_000), memory=32 * GB, copies=100, widths=[2048])
    assert wide.stages["features"] > 51_000 * 2048 * 4
    assert wide.peak > plain.peak


def test_an_audit_finds_the_same_in_small_blocks(monkeypatch):
    digits = load_images("digits")
    made = digits.take(range(40))
    whole = audit(made, digits, device="cpu", positive_control=5)
    monkeypatch.setattr("rote.memorization.plan.LARGEST", 2**12)
    monkeypatch.setattr("rote.memorization.plan.SMALLEST", 2**12)
    with within_memory(made, digits, None, AuditOptions(), memory=None):
        assert blocks().block == 2**12
    small = audit(made, digits, device="cpu", positive_control=5)
    assert small.rate == whole.rate
    assert (small.measured.matches.nn1_sq == whole.measured.matches.nn1_sq).all()
    assert [one.to_json() for one in small.positive] == [one.to_json() for one in whole.positive]
    with pytest.raises(ConfigError, match="`memory` is 1 MB"):
        audit(made, digits, device="cpu", memory=10**6)


def test_the_default_is_a_share_of_what_is_left():
    assert default_memory() > 0

"""The two tests and the spending, by hand."""

import math

import pytest

from rote.core.errors import ConfigError
from rote.stats.sequential import binomial_p_value, fisher_p_value, spent_alpha


def test_spending_by_hand():
    assert spent_alpha(0.05, 1) == pytest.approx(0.3 / math.pi**2, rel=1e-15)
    assert spent_alpha(0.05, 3) == pytest.approx(spent_alpha(0.05, 1) / 9, rel=1e-15)
    assert spent_alpha(0.05, 3, sets=2) == spent_alpha(0.05, 3) / 2


def test_all_looks_together_spend_alpha():
    # The rest of the sum beyond n looks is alpha * 6 / pi^2 / n, the next
    # term is 1 / (2 n) of it, 1.5e-12.
    total = sum(spent_alpha(0.05, look) for look in range(1, 100_001))
    assert total < 0.05
    assert total == pytest.approx(0.05 - 0.3 / math.pi**2 / 100_000, abs=3e-12)


def test_binomial_by_hand():
    # P(at least 2 of 3 at 0.1) = 3 * 0.01 * 0.9 + 0.001
    assert binomial_p_value(2, 3, rate=0.1) == pytest.approx(0.028, rel=1e-14)
    assert binomial_p_value(0, 3, rate=0.1) == 1
    assert binomial_p_value(0, 3, rate=0) == 1
    assert binomial_p_value(1, 3, rate=0) == 0


def test_fisher_by_hand():
    # 3 + 1 successes dealt to 4 and 4: (4 C 3)(4 C 1) / (8 C 4) + 1 / (8 C 4) = 17 / 70
    assert fisher_p_value(3, 4, control_count=1, control_total=4) == pytest.approx(
        17 / 70, rel=1e-13
    )
    assert fisher_p_value(0, 4, control_count=1, control_total=4) == 1
    assert fisher_p_value(4, 4, control_count=4, control_total=4) == 1


def test_more_of_the_same_share_is_stronger_evidence():
    few = fisher_p_value(3, 100, control_count=1, control_total=1000)
    many = fisher_p_value(30, 1000, control_count=10, control_total=10_000)
    assert many < few / 1000


@pytest.mark.parametrize(("count", "total"), [(-1, 3), (4, 3), (0, 0)])
def test_impossible_counts(count, total):
    with pytest.raises(ConfigError, match="impossible"):
        binomial_p_value(count, total, rate=0.1)
    with pytest.raises(ConfigError, match="impossible"):
        fisher_p_value(1, 2, control_count=count, control_total=total)
    with pytest.raises(ConfigError, match="null rate is 1"):
        binomial_p_value(1, 2, rate=1)

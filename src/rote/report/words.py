"""Numbers and untrusted text, put so that people can read them and nothing can go wrong."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from rote.stats.rates import Difference, Rate, in_percent

LONGEST_NAME = 200
LONGEST_CAPTION = 160

# Written out instead of shown: controls, direction overrides, lone surrogates, line separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
READ = frozenset({"title", "description", "spoken", "text"})
"""What people read of a chart; all else names its fields."""


def plain(text: object) -> str:
    r"""Return untrusted text with every invisible character written out.

    >>> print(plain("a\u202eb"))
    a\u202eb
    """
    return "".join(
        f"\\u{ord(c):04x}" if unicodedata.category(c) in _HIDDEN else c for c in str(text)
    )


def short(name: str) -> str:
    """Return a file's name without its invisible characters and within reason."""
    text = plain(name)
    return text if len(text) <= LONGEST_NAME else f"…{text[-LONGEST_NAME:]}"


def caption(text: str) -> str:
    """Return the beginning of a caption, without invisible characters."""
    told = plain(text)
    return told if len(told) <= LONGEST_CAPTION else f"{told[:LONGEST_CAPTION]}…"


def one(items: str) -> str:
    """Return the singular of what items are called.

    >>> one("training rows"), one("series")
    ('training row', 'series')
    """
    return items if items.endswith("series") else items[:-1]


def reworded(spec: Any, items: str) -> Any:
    """Return a chart, or part of one, that calls its items by their name where people read it.

    >>> reworded({"title": "images seen", "field": "images"}, "rows")
    {'title': 'rows seen', 'field': 'images'}
    """
    if isinstance(spec, list):
        return [reworded(part, items) for part in spec]
    if not isinstance(spec, dict):
        return spec
    return {
        key: _called(part, items)
        if key in READ and isinstance(part, str)
        else reworded(part, items)
        for key, part in spec.items()
    }


def _called(text: str, items: str) -> str:
    return re.sub(r"\bimages\b", items, re.sub(r"\bImages\b", items.capitalize(), text))


def format_size(size: float) -> str:
    """Return a training-set size for people: whole, or with two digits below ten.

    >>> format_size(1063.4), format_size(7.25), format_size(8.0)
    ('1,063', '7.2', '8')
    """
    return f"{size:,.0f}" if size >= 10 else f"{size:.2g}"


def format_ratio(ratio: float) -> str:
    """Return a ratio threshold for people.

    >>> format_ratio(1 / 3), format_ratio(0.25)
    ('1/3', '0.25')
    """
    return "1/3" if abs(ratio - 1 / 3) < 1e-12 else f"{ratio:.3g}"


def format_reach(c: float) -> str:
    """Return the tolerance of a ratio threshold as a share of a source's distance to another item.

    >>> format_reach(1 / 3)
    '35.4 %'
    """
    return f"{100 * c / math.sqrt(1 - c * c):.3g} %"


def format_rate(rate: Rate) -> str:
    """Return the value of a rate with `decimals`, without rounding a miss to certainty.

    >>> format_rate(Rate(0.91, 0.89, 0.93, 910, 1000, 0.95))
    '0.910'
    >>> format_rate(Rate(0.9999, 0.999, 1.0, 9999, 10000, 0.95))
    '0.9999'
    """
    exact = rate.count in (0, rate.total)
    text = f"{rate.value:.{3 if exact else decimals(rate)}f}"
    return f"{rate.value:.4g}" if not exact and float(text) in (0, 1) else text


def format_interval(rate: Rate) -> str:
    """Return the interval of a rate.

    >>> format_interval(Rate(0.91, 0.8906, 0.9262, 910, 1000, 0.95))
    '0.891 to 0.926'
    """
    places = decimals(rate)
    return f"{rate.low:.{places}f} to {rate.high:.{places}f}"


def decimals(rate: Rate) -> int:
    """Return how many decimals a rate is shown with: one more where it is below 1 in 100."""
    return 4 if rate.value < 0.01 else 3


def format_seconds(seconds: float) -> str:
    """Return a duration for people.

    >>> format_seconds(42.3), format_seconds(312.4), format_seconds(7300)
    ('42 s', '5 min 12 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def flatten(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested configuration values as rows of dotted key and text.

    >>> flatten({"a": {"b": 1}, "c": [1, 2], "d": None})
    [('a.b', '1'), ('c', '1, 2'), ('d', 'none')]
    """
    rows: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, dict):
            rows += flatten(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", _value_text(value)))
    return rows


def _value_text(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_value_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)


def embed_json(value: object) -> str:
    r"""Return JSON that is safe inside a script element, whatever texts it holds.

    >>> print(embed_json("</script>\u2028"))
    "\u003c/script\u003e\u2028"
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def format_percent(rate: Rate) -> str:
    """Return a rate in whole percent, without rounding a miss to certainty.

    >>> format_percent(Rate(0.98, 0.93, 0.99, 98, 100, 0.95))
    '98 %'
    >>> format_percent(Rate(0.999, 0.99, 1.0, 999, 1000, 0.95))
    '> 99 %'
    """
    whole = round(100 * rate.value)
    if rate.count not in (0, rate.total) and whole in (0, 100):
        return "< 1 %" if whole == 0 else "> 99 %"
    return f"{whole} %"


def percent_of(share: float) -> str:
    r"""Return a share in percent to two digits of what is there or is not; the space does not break.

    >>> percent_of(0.0038)
    '0.38\xa0%'
    """
    return in_percent(share).replace(" ", "\N{NO-BREAK SPACE}")


def format_share(share: float) -> str:
    """Return a share without count or interval, such as a bound, for people.

    >>> format_share(0.4567), format_share(0.004)
    ('0.457', '0.0040')
    """
    return f"{share:.{4 if share < 0.01 else 3}f}"


def format_signed(value: float) -> str:
    """Return a difference of two rates with its sign, a true minus included.

    >>> format_signed(0.1538), format_signed(-0.0021), format_signed(0.0)
    ('+0.154', '−0.0021', '0.000')
    """
    if value == 0:
        return "0.000"
    text = f"{abs(value):.{4 if abs(value) < 0.01 else 3}f}"
    return ("+" if value > 0 else "\N{MINUS SIGN}") + text


def format_points(difference: Difference) -> str:
    """Return a difference of two rates in percentage points, with its interval.

    >>> format_points(Difference(0.1538, -0.0021, 1.0, 0.95, "newcombe"))
    '+15 points (−0.21 to 100)'
    """
    low, high = _two_digits(difference.low), _two_digits(difference.high)
    sign = "+" if difference.value > 0 else ""
    return f"{sign}{_two_digits(difference.value)} points ({low} to {high})"


def _two_digits(share: float) -> str:
    """Return a share in percent, with a true minus."""
    percent = 100 * share
    text = f"{percent:.2g}" if abs(percent) < 10 else f"{percent:.0f}"
    return text.replace("-", "\N{MINUS SIGN}")


def join(parts: Sequence[str], last: str = "and") -> str:
    """Return a list as people write it.

    >>> join(["a", "b", "c"]), join(["a"]), join([], "or")
    ('a, b and c', 'a', '')
    """
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"

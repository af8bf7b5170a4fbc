"""Draw the figures of docs/results from the emm.json files beside it.

python docs/results/draw.py
"""

import json
from pathlib import Path

import altair as alt

HERE = Path(__file__).parent


def rows(name: str, label: str) -> list[dict[str, float | str]]:
    """Return a search's points as chart rows."""
    value = json.loads((HERE / "cifar10" / name).read_text())
    return [
        {"size": p["size"], "resolution": label}
        | {key: p["rate"][key] for key in ("value", "low", "high")}
        for p in value["points"]
    ]


def main() -> None:
    """Write cifar10/dimension.svg."""
    data = alt.Data(values=rows("emm-8.json", "8x8") + rows("emm-16.json", "16x16"))
    x = alt.X(
        "size:Q",
        title="training-set size (log scale)",
        scale=alt.Scale(type="log", base=2, domain=[24, 320]),
        axis=alt.Axis(values=[32, 45, 64, 91, 128, 181, 256], grid=False),
    )
    color = alt.Color(
        "resolution:N", scale=alt.Scale(range=["#c2410c", "#1d4ed8"]), title="CIFAR-10 at"
    )
    y = alt.Y("value:Q", title="memorization rate", scale=alt.Scale(domain=[0, 1]))
    base = alt.Chart(data)
    line = base.mark_line(point=True).encode(x=x, y=y, color=color)
    bars = base.mark_rule(strokeWidth=3, opacity=0.5).encode(
        x=x, y=alt.Y("low:Q", title="memorization rate"), y2="high:Q", color=color
    )
    limit = alt.Chart(alt.Data(values=[{"y": 0.9}])).mark_rule(strokeDash=[4, 4]).encode(y="y:Q")
    chart = (limit + bars + line).properties(width=640, height=300, background="white")
    chart.save(HERE / "cifar10" / "dimension.svg")


if __name__ == "__main__":
    main()

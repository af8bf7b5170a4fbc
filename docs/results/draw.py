"""Draw the figures of docs/results from the JSON files beside it.

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


def rulers() -> None:
    """Write cifar10/ruler.svg: how far resolutions differ by each ruler, with intervals."""
    data = alt.Data(values=json.loads((HERE / "cifar10" / "ruler.json").read_text()))
    order = ["each its own", "all at 8x8", "all at 4x4"]
    y = alt.Y("ruler:N", sort=order, title=None)
    kind = alt.Color("criterion:N", title=None, scale=alt.Scale(range=["#1d4ed8", "#c2410c"]))
    beside = alt.YOffset("criterion:N")
    scale = alt.Scale(domain=[-1, 0.1])
    bars = alt.Chart().mark_rule(strokeWidth=3, opacity=0.5)
    bars = bars.encode(
        x=alt.X("low:Q", title="difference of the memorization rates", scale=scale),
        x2="high:Q",
        y=y,
        yOffset=beside,
        color=kind,
    )
    dots = alt.Chart().mark_point(filled=True, size=60, opacity=1)
    dots = dots.encode(x="value:Q", y=y, yOffset=beside, color=kind)
    none = alt.Chart().mark_rule(strokeDash=[4, 4]).encode(x=alt.datum(0))
    layers = alt.layer(none, bars, dots, data=data).properties(width=560, height=110)
    parts = ["U-Net, N = 32: 16x16 less 8x8", "U-Net, N = 8: 32x32 less 8x8"]
    parts += ["perceptron, N = 32: 16x16 less 8x8"]
    facet = alt.Facet("model:N", sort=parts, title=None, header=alt.Header(labelFontSize=13))
    chart = layers.facet(facet, columns=1)
    chart = chart.properties(padding={"left": 30, "right": 30, "top": 5, "bottom": 5})
    chart.configure(background="white").save(HERE / "cifar10" / "ruler.svg")


def main() -> None:
    """Write cifar10/dimension.svg and cifar10/ruler.svg."""
    rulers()
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

"""The screens on which pages are looked at, and how the contrast of a text is measured in a browser."""

import pytest

# Widths and colors are independent of each other, so two of the four show both.
SCREENS = [
    pytest.param(390, False, id="phone, light"),
    pytest.param(1440, True, id="desk, dark"),
]
# The ratio of luminances (WCAG 2) of a cell's text to what lies behind it, drawn to resolve any notation.
CONTRAST = """cells => Math.min(...cells.map(cell => {
    const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const draw = (color) => { context.fillStyle = color; context.fillRect(0, 0, 1, 1); };
    const luminance = () => [...context.getImageData(0, 0, 1, 1).data].slice(0, 3)
        .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
    const behind = [];
    for (let node = cell; node; node = node.parentElement) {
        behind.unshift(getComputedStyle(node).backgroundColor);
    }
    behind.forEach(draw);
    const back = luminance();
    draw(getComputedStyle(cell).color);
    const front = luminance();
    return (Math.max(back, front) + 0.05) / (Math.min(back, front) + 0.05);
}))"""

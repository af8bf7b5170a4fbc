"""DDPM++ and NCSN++ written a second time, from the papers: functions of named weights, float64.

Song et al. (2021), appendix H, and Karras et al. (2022), appendix F, say what the networks are; Gu et
al. (2025) what a skip connection that is switched off feeds. Nothing of rote is used here. Convolutions
are sums over shifted copies, filters loops over their taps, norms and attention written out, so that
an error of ours is not made twice.
"""

import math
from dataclasses import dataclass

import torch

SQRT_HALF = math.sqrt(0.5)


@dataclass(frozen=True)
class Spec:
    """What a network is: numbers of the papers' tables, small."""

    width: int = 4
    mult: tuple[int, ...] = (2, 2, 2)
    blocks: int = 2
    resolution: int = 8
    attention: tuple[int, ...] = (4,)
    ncsn: bool = False
    fourier: bool = False
    labels: int = 0
    channels: int = 3

    @property
    def noise(self):
        return self.width * (2 if self.ncsn else 1)

    @property
    def taps(self):
        return (1, 3, 3, 1) if self.ncsn else (1, 1)


class Weights(dict):
    """Weights by name, drawn when they are first asked for."""

    def __init__(self, seed=0):
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, name, *shape):
        if name not in self:
            drawn = torch.randn(shape, generator=self.generator, dtype=torch.float64)
            fan = math.prod(shape[1:]) if len(shape) > 1 else 4
            self[name] = drawn / math.sqrt(fan)
        assert self[name].shape == shape, name
        return self[name]


def silu(x):
    return x / (1 + torch.exp(-x))


def dense(w, name, x, outputs):
    return x @ w(f"{name}.weight", outputs, x.shape[1]).T + w(f"{name}.bias", outputs)


def shifted(x, down, right, height, width):
    """x(i + down, j + right) for i, j from 0, with zeros outside."""
    out = x.new_zeros(*x.shape[:2], height, width)
    rows = range(max(0, -down), min(height, x.shape[2] - down))
    columns = range(max(0, -right), min(width, x.shape[3] - right))
    if rows and columns:
        out[:, :, rows.start : rows.stop, columns.start : columns.stop] = x[
            :, :, rows.start + down : rows.stop + down, columns.start + right : columns.stop + right
        ]
    return out


def plain_conv(w, name, x, outputs, kernel, *, beyond=0):
    """Convolve without the bias, as far as ``beyond`` pixels outside the image."""
    weight = w(f"{name}.weight", outputs, x.shape[1], kernel, kernel)
    size = [x.shape[2] + 2 * beyond, x.shape[3] + 2 * beyond]
    reach = kernel // 2 + beyond
    return sum(
        torch.einsum("oi,bihw->bohw", weight[:, :, a, b], shifted(x, a - reach, b - reach, *size))
        for a in range(kernel)
        for b in range(kernel)
    )


def bias(w, name, x):
    return x + w(f"{name}.bias", x.shape[1])[:, None, None]


def conv(w, name, x, outputs, kernel):
    return bias(w, name, plain_conv(w, name, x, outputs, kernel))


def group_norm(w, name, x):
    channels = x.shape[1]
    groups = min(32, channels // 4)
    parts = x.reshape(x.shape[0], groups, -1)
    mean = parts.mean(2, keepdim=True)
    variance = ((parts - mean) ** 2).mean(2, keepdim=True)
    normal = ((parts - mean) / (variance + 1e-6).sqrt()).reshape(x.shape)
    scale, shift = w(f"{name}.weight", channels), w(f"{name}.bias", channels)
    return normal * scale[:, None, None] + shift[:, None, None]


def halve(x, taps, *, pad):
    """Every second value of the low-pass filtered image, ``pad`` zeros around it."""
    total = sum(taps) ** 2
    height = (x.shape[2] + 2 * pad - len(taps)) // 2 + 1
    out = 0
    for a, down in enumerate(taps):
        for b, right in enumerate(taps):
            moved = shifted(x, a - pad, b - pad, 2 * height, 2 * height)
            out = out + moved[:, :, ::2, ::2] * (down * right / total)
    return out


def double(x, taps):
    """Zeros between the values, then the low-pass filter, four times as high."""
    size = 2 * x.shape[2]
    pad, total = (len(taps) - 1) // 2, sum(taps) ** 2
    wide = x.new_zeros(*x.shape[:2], size, size)
    wide[:, :, ::2, ::2] = x
    out = 0
    for a, down in enumerate(taps):
        for b, right in enumerate(taps):
            out = out + shifted(wide, pad - a, pad - b, size, size) * (4 * down * right / total)
    return out


def attend(w, name, x):
    b, c = x.shape[:2]
    normal = group_norm(w, f"{name}.norm2", x)
    # The weights of the three are one tensor, by channel and then q, k, v.
    q, k, v = conv(w, f"{name}.qkv", normal, 3 * c, 1).reshape(b, c, 3, -1).unbind(2)
    scores = torch.einsum("bci,bcj->bij", q, k) / math.sqrt(c)
    scores = torch.exp(scores - scores.max(2, keepdim=True).values)
    mixed = torch.einsum("bij,bcj->bci", scores / scores.sum(2, keepdim=True), v)
    return conv(w, f"{name}.proj", mixed.reshape(x.shape), c, 1)


def block(w, name, x, embedded, outputs, taps, *, way=None, attention=False):
    """A residual block; where it resamples, its shortcut is resampled and mapped, too."""

    def resampled(image):
        if way == "down":
            return halve(image, taps, pad=(len(taps) - 1) // 2)
        return double(image, taps) if way == "up" else image

    hidden = resampled(silu(group_norm(w, f"{name}.norm0", x)))
    hidden = conv(w, f"{name}.conv0", hidden, outputs, 3)
    hidden = hidden + dense(w, f"{name}.affine", embedded, outputs)[:, :, None, None]
    hidden = silu(group_norm(w, f"{name}.norm1", hidden))
    hidden = conv(w, f"{name}.conv1", hidden, outputs, 3)
    shortcut = x
    if way or x.shape[1] != outputs:
        shortcut = conv(w, f"{name}.skip", resampled(x), outputs, 1)
    x = (hidden + shortcut) * SQRT_HALF
    if attention:
        x = (x + attend(w, name, x)) * SQRT_HALF
    return x


def embedding(w, spec, c_noise, one_hot):
    """Sines, then cosines, of the noise; plus the label's map; then two dense layers."""
    half = spec.noise // 2
    if spec.fourier:
        angles = c_noise[:, None] * w("fourier", half) * 2 * math.pi
    else:
        angles = c_noise[:, None] * 10_000.0 ** -(torch.arange(half).double() / (half - 1))
    x = torch.cat([angles.sin(), angles.cos()], dim=1)
    if spec.labels:
        x = x + dense(w, "map_label", one_hot * math.sqrt(spec.labels), spec.noise)
    x = silu(dense(w, "map_layer0", x, 4 * spec.width))
    return silu(dense(w, "map_layer1", x, 4 * spec.width))


def network(w, spec, x, c_noise, *, one_hot=None, kept=None):
    """Return F(x): (B, channels, H, W). ``kept``: (B, 9) switches of the skips, from the input."""
    embedded = embedding(w, spec, c_noise, one_hot)
    return decoded(w, spec, encoded(w, spec, x, embedded), embedded, kept)


def encoded(w, spec, x, embedded):
    """Return what the skip connections carry, from the input on."""
    taps, image = spec.taps, x
    skips = []
    for level, mult in enumerate(spec.mult):
        res = spec.resolution >> level
        if level == 0:
            x = conv(w, f"enc.{res}.conv", x, spec.width, 3)
        else:
            x = block(w, f"enc.{res}.down", x, embedded, x.shape[1], taps, way="down")
            if spec.ncsn:
                name = f"enc.{res}.aux"
                reach = (len(taps) - 1) // 2
                wide = plain_conv(w, name, image, x.shape[1], 3, beyond=reach)
                image = x = (x + bias(w, name, halve(wide, taps, pad=0))) / math.sqrt(2)
        skips.append(x)
        for number in range(spec.blocks):
            outputs, at = spec.width * mult, res in spec.attention
            x = block(w, f"enc.{res}.{number}", x, embedded, outputs, taps, attention=at)
            skips.append(x)
    return skips


def decoded(w, spec, skips, embedded, kept):
    """Return the output; the last skip is what the decoder begins with, kept or not."""
    taps, x, skips = spec.taps, skips[-1], list(skips)
    if kept is not None:
        skips = [s * on[:, None, None, None] for s, on in zip(skips, kept.T, strict=True)]
    for level in reversed(range(len(spec.mult))):
        res, outputs = spec.resolution >> level, spec.width * spec.mult[level]
        if level == len(spec.mult) - 1:
            x = block(w, f"dec.{res}.in0", x, embedded, x.shape[1], taps, attention=True)
            x = block(w, f"dec.{res}.in1", x, embedded, x.shape[1], taps)
        else:
            x = block(w, f"dec.{res}.up", x, embedded, x.shape[1], taps, way="up")
        for number in range(spec.blocks + 1):
            at = number == spec.blocks and res in spec.attention
            x = torch.cat([x, skips.pop()], dim=1)
            x = block(w, f"dec.{res}.{number}", x, embedded, outputs, taps, attention=at)
    x = silu(group_norm(w, "out_norm", x))
    return conv(w, "out_conv", x, spec.channels, 3)


def denoised(f, kind, x, sigma, *, sigma_data=0.5):
    """D(x) = c_skip x + c_out F(c_in x, c_noise), table 1 of Karras et al.; sigma is one number."""
    if kind == "vp":
        beta_d, beta_min = 19.9, 0.1
        t = (math.sqrt(beta_min**2 + 2 * beta_d * math.log(1 + sigma**2)) - beta_min) / beta_d
        skip, out, inside, noise = 1.0, -sigma, 1 / math.sqrt(sigma**2 + 1), 999 * t
    elif kind == "ve":
        skip, out, inside, noise = 1.0, sigma, 1.0, math.log(sigma / 2)
    else:
        total = sigma**2 + sigma_data**2
        skip, out = sigma_data**2 / total, sigma * sigma_data / math.sqrt(total)
        inside, noise = 1 / math.sqrt(total), math.log(sigma) / 4
    return skip * x + out * f(inside * x, torch.full((len(x),), noise, dtype=torch.float64))

"""The generated side of an audit: any source, a run directory, or a function that samples.

========================  =====================================================================
``--generated``           what is audited
========================  =====================================================================
a source of images        all of it
a point of `rote emm`     its fresh samples, ``samples/fresh.npz``
a run of `rote train`     ``--count`` samples of its newest snapshot, those of `rote sample`
``module:function``       ``--count`` images of ``function(num, seed)``, asked for in batches; or images
                          and a list of their captions
========================  =====================================================================
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rote.cli import options
from rote.cli.model.samples import check_count
from rote.cli.source import FUNCTION, SourceOptions, load
from rote.core.devices import resolve_device
from rote.core.errors import ConfigError, DataError, Interrupted, RunError
from rote.core.seeds import child_seed
from rote.core.user_module import import_user_module
from rote.data.dataset import Dataset
from rote.data.files.arrays import dataset_of_array
from rote.data.files.listing import Listing
from rote.data.load import fit_dataset
from rote.data.messages import shown, storable
from rote.data.named.names import named_sources
from rote.data.tables.encode import adopt

COUNT = 1000
BATCH = 256
"""Most images asked of a function at once; part of what its images are, like the seed."""
_FRESH = Path("samples") / "fresh.npz"


def load_generated(
    source: str,
    *,
    how: SourceOptions,
    like: Dataset,
    count: int | None,
    seed: int,
    decoded: Path | None,
    device: str,
    listing: Listing | None = None,
    groups: str | None = None,
) -> Dataset:
    """Load or draw the generated side.

    Parameters
    ----------
    source
        As the table above says. A path that exists goes before a ``module:function``.
    how, like, decoded, listing, groups
        As in `rote.cli.source.load`; ``like`` is the training side.
    count, seed
        How many samples to draw (None: 1,000) and the root of their seeds. A count is an error where
        nothing is drawn.
    device
        Where a run's model samples: cpu, cuda or auto.

    Raises
    ------
    ConfigError
        If ``count`` is given where nothing is drawn, or there is no such module or function.
    DataError
        If the images cannot be used as they are, or the function failed.
    RunError
        If a run directory holds no snapshot.
    """
    path = Path(source).expanduser()
    drawn: Dataset | None = None
    if source not in named_sources():
        if _is_run(path) and not _has(path / _FRESH):
            drawn = _of_run(path, count or COUNT, seed=seed, device=device)
        elif FUNCTION.fullmatch(source) and not _has(path):
            drawn = _of_function(source, count or COUNT, seed=seed)
    if drawn is not None:
        asked = how.read()
        drawn = _with_columns(drawn, like)
        return fit_dataset(drawn, asked.resolution, asked.channels, how=asked.resize)
    if count is not None:
        raise ConfigError(
            f"--count is for samples drawn from a run of `rote train` or a module:function, and "
            f"--generated {shown(source)} is audited whole; leave --count out"
        )
    is_point = source not in named_sources() and _is_run(path)
    if not is_point and _has(path / "emm.json"):
        raise DataError(
            f"--generated {shown(source)} holds a whole search; give one of its points, such as "
            f"{shown(path / 'points' / 'size-...')}"
        )
    if not is_point:
        return load(
            source,
            how,
            flag="--generated",
            like=like,
            decoded=decoded,
            listing=listing,
            groups=groups,
        )
    file = str(path / _FRESH)
    found = load(file, how.of_images(), flag="--generated", decoded=decoded)
    return found if found.in_levels else _with_columns(_in_units_of_data(found, path), like)


def _with_columns(found: Dataset, like: Dataset) -> Dataset:
    return found if like.schema is None else adopt(found, like.schema)


def _has(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a zero byte: the loader has the words
        return False


def _is_run(path: Path) -> bool:
    return _has(path / "config.json") and _has(path / "checkpoints")


def _of_run(path: Path, count: int, *, seed: int, device: str) -> Dataset:
    """Draw what `rote sample` draws."""
    from rote.cli.model.drawing import draw
    from rote.diffusion.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    return draw(checkpoint, count, seed=seed, device=resolve_device(device))


def _in_units_of_data(found: Dataset, path: Path) -> Dataset:
    """Scale samples of a point back: its files hold them in units of each column's spread."""
    from rote.data.scaling import Scaling
    from rote.diffusion.checkpoint import load_checkpoint

    scaling = load_checkpoint(path).facts["scaling"]
    if not scaling:
        raise RunError(f"{shown(path)} holds vectors and its snapshots no scaling; train it again")
    known = Scaling.from_json(scaling)
    return replace(found, items=known.invert(found.items), schema=known.schema)


def _of_function(source: str, count: int, *, seed: int) -> Dataset:
    from rote.core.progress.display import progress

    function = _imported(source)
    parts: list[npt.NDArray[Any]] = []
    captions: list[str | None] = []
    with options.interruptible(), progress(f"images of {shown(source)}", count) as report:
        for number, start in enumerate(range(0, count, BATCH)):
            size = min(BATCH, count - start)
            with _one_line(source, f"{source}({size}, seed) raised"):
                given = function(size, child_seed(seed, "sample", number))
            given, told = _apart(given, size, source)
            items = _checked(given, size, source)
            if parts and items.shape[1:] != parts[0].shape[1:]:
                raise DataError(
                    f"--generated {source} gave items of shape {parts[0].shape[1:]} and then of "
                    f"{items.shape[1:]}; all must have one"
                )
            if not parts:
                check_count(count, items.shape[1:])
            parts.append(items)
            captions.extend(told)
            report(start + size, count)
    return Dataset(np.concatenate(parts), source=source, captions=tuple(captions))


def _imported(source: str) -> Callable[[int, int], object]:
    """Import what is installed, or else from the current folder."""
    from rote.core.console import say

    name, _, attribute = source.partition(":")
    say(f"--generated {source} runs code of that module, with your rights and unchecked")
    with _one_line(source, f"importing {name} raised", missing=name):
        module = import_user_module(name)
    function = getattr(module, attribute, None)
    if not callable(function):
        what = f"has no function {attribute}" if function is None else f"{attribute} is no function"
        raise ConfigError(
            f"--generated {source}: module {name} {what}; give module:function, a function of "
            "(num, seed)"
        )
    return function


@contextlib.contextmanager
def _one_line(source: str, what: str, *, missing: str = "") -> Iterator[None]:
    """Run a person's own code: what it prints goes to stderr, what it raises becomes one line."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Interrupted, KeyboardInterrupt):
        raise
    # Its code may raise anything, and sys.exit would end the audit without a word.
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and _is_part(error.name, missing):
            raise ConfigError(
                f"--generated {source}: there is no module {shown(error.name)} in this folder or "
                "among the installed packages, nor a file of that name"
            ) from error
        raise DataError(
            f"--generated {source}: {what} {type(error).__name__}: {shown(error)} (--debug shows "
            "where)"
        ) from error


def _is_part(name: str | None, whole: str) -> bool:
    return bool(name) and f"{whole}.".startswith(f"{name}.")


def _apart(given: object, size: int, source: str) -> tuple[object, Sequence[str]]:
    """Return images and their captions, where a function gives both."""
    if not isinstance(given, tuple):
        return given, ()
    told = given[1] if len(given) == 2 and isinstance(given[1], list | tuple) else ()
    if len(told) != size or not all(isinstance(text, str) for text in told):
        raise DataError(
            f"--generated {source} gave {len(given)} things; give images, or images and a list of "
            f"{size} captions"
        )
    return given[0], [storable(text) for text in told]


def _checked(given: object, size: int, source: str) -> npt.NDArray[Any]:
    """Refuse what is not ``size`` uint8 images (or vectors); return them channels last."""
    where = f"--generated {source}"
    if not isinstance(given, np.ndarray):
        raise DataError(
            f"{where} gave {type(given).__module__}.{type(given).__qualname__}; a uint8 NumPy array "
            "(N, H, W, C) or (N, C, H, W) is expected (of a tensor, .cpu().numpy())"
        )
    if given.ndim == 0 or len(given) != size:
        raise DataError(
            f"{where} was asked for {size} images and gave an array of shape {given.shape}; "
            f"({size}, H, W, C) or ({size}, C, H, W) is expected"
        )
    items = dataset_of_array(given, where=where)
    if items.in_levels and given.dtype != np.uint8:
        raise DataError(
            f"{where} gave images of type {given.dtype}; uint8 is expected, so that no batch is "
            "rounded by guess: add .astype('uint8')"
        )
    return items.items

"""What trying remedies leaves on the disk, stage by stage, so that a kill costs one stage.

::

    OUT/samples/NAME.npz       what was drawn; NAME-selection.npz: to choose a setting on
    OUT/trainings/NAME/        what was trained again
    OUT/audits/NAME/           of the samples
    OUT/measured/NAME.json     what the samples are beside those of the model as it is

Samples say what they were made by, and what was measured says of which samples: what differs is made
again. A file is used as it is read back, so that a call that goes on has the bytes of one not cut.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rote.core.atomic_files import write_npz
from rote.data.dataset import Dataset
from rote.data.files.arrays import arrays_of, item_key
from rote.data.files.npz import captions_of_arrays
from rote.results.arrays import read_arrays
from rote.results.mitigation.remedies import MeasuredFile
from rote.results.schema import read_result, write_result


def kept_samples(
    path: Path, made_by: dict[str, Any] | None, draw: Callable[[], Dataset], *, like: Dataset
) -> Dataset:
    """Return the samples of a file, which is made if they were made by something else.

    Parameters
    ----------
    path
        The .npz file.
    made_by
        All that they depend on, as plain types; None: what that is is not known, and they are drawn.
    draw
        Draws them: items, seeds and, if there are some, labels with classes and captions.
    like
        The training set, of whose form and units they are.
    """
    told = json.dumps(made_by, sort_keys=True)
    if made_by is None or not path.exists() or (found := _read(path, told, like)) is None:
        drawn = draw()
        assert drawn.seeds is not None
        # In units of each column's spread, so without the schema, which speaks of their own.
        arrays = arrays_of(replace(drawn, schema=None))
        beside = {"made_by": np.array(told), "classes": np.array(drawn.classes, np.str_)}
        write_npz(path, arrays | beside)
        found = _read(path, told, like)
    assert found is not None
    return found


def _read(path: Path, told: str, like: Dataset) -> Dataset | None:
    """Return the samples of a file; None if they were made by something else."""
    items = item_key(like.kind)
    needed = ("made_by", items, "seeds", "classes")
    arrays = read_arrays(path, needed, ("labels", "captions", "captioned"))
    if str(arrays["made_by"]) != told:
        return None
    texts = arrays.get("captions", np.empty(0, np.str_))
    return Dataset(
        arrays[items],
        labels=arrays.get("labels"),
        classes=tuple(arrays["classes"].tolist()),
        seeds=arrays["seeds"],
        captions=tuple(captions_of_arrays(texts, arrays.get("captioned"))),
        schema=like.schema,
        scaling=like.scaling,
        source=path.stem,
    )


def kept_measures(
    path: Path, of: tuple[str, ...], measure: Callable[[], dict[str, Any]]
) -> MeasuredFile:
    """Return what a file says was measured of ``of``, digests and judges; it is made if of others."""
    if path.exists():
        found = read_result(path, MeasuredFile)
        if found.of == of:
            return found
    write_result(path, MeasuredFile, {"kind": "measured", "of": list(of), **measure()})
    return read_result(path, MeasuredFile)

"""Run directories: whole files or none, one configuration, one process, metrics that resume."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from large_files import write_large

from rote.core import run_folder as runs
from rote.core.atomic_files import (
    read_json,
    write_atomic,
    write_json,
    write_npz,
    write_status,
    write_text,
)
from rote.core.errors import RunError
from rote.core.run_folder import Metrics, Run, read_metrics, versions

CONFIG = {"kind": "train", "seed": 0, "train": {"batch": 64, "rate": 0.1, "skips": (1, 2)}}


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


# -- writing ---------------------------------------------------------------------------------------


def test_a_writer_that_raises_leaves_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "result.json"
    write_json(path, {"value": 1})
    before = path.read_bytes()

    def half(temporary):
        temporary.write_text("half of it")
        raise KeyError("killed")

    with pytest.raises(KeyError, match="killed"):
        write_atomic(path, half)
    assert path.read_bytes() == before
    assert listing(tmp_path) == ["result.json"]


def test_folders_are_made_and_files_replaced(tmp_path):
    path = tmp_path / "a" / "b" / "note.txt"
    write_text(path, "one")
    write_text(path, "zwei ü")
    assert path.read_text(encoding="utf-8") == "zwei ü"


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("kind", ["json", "npz", "safetensors"])
def test_a_full_disk_is_one_line_and_leaves_nothing(small_disk, kind):
    path = small_disk / f"result.{kind}"
    with pytest.raises(RunError) as caught:
        write_large(kind, path)
    assert str(caught.value) == (
        f"cannot write {path}: the disk is full; free some space and run the same command again"
    )
    assert listing(small_disk) == []


SUPPORT = Path(__file__).parents[2] / "support"
LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from large_files import RunError, write_large
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
for kind in ("json", "npz", "safetensors"):
    try:
        write_large(kind, Path(sys.argv[2], kind))
    except RunError as error:
        print(error)
"""


def test_a_file_size_limit_is_one_line_and_leaves_nothing(tmp_path):
    # No root needed: the kernel refuses to let any file of that process grow beyond 64 KiB.
    arguments = [sys.executable, "-c", LIMITED, str(SUPPORT), str(tmp_path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"cannot write {tmp_path / kind}: File too large" for kind in ("json", "npz", "safetensors")
    ]
    assert listing(tmp_path) == []


def test_appending_to_a_full_disk_is_one_line(small_disk):
    metrics = Metrics(small_disk / "metrics.jsonl")
    with pytest.raises(RunError, match=r"metrics.jsonl: the disk is full"):
        metrics.append({"images_seen": 1, "text": "x" * 200_000})


def test_a_file_in_the_way_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="choose another `out`"):
        write_json(tmp_path / "file" / "result.json", {})
    with pytest.raises(RunError, match="choose another `out`"):
        Run(tmp_path / "file", CONFIG)


def test_npz_bytes_depend_on_the_arrays_alone(tmp_path):
    arrays = {"b": np.arange(5), "a": np.zeros((2, 3), np.uint8)}
    write_npz(tmp_path / "1.npz", arrays)
    write_npz(tmp_path / "2.npz", arrays)
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    with np.load(tmp_path / "1.npz") as found:
        assert found.files == ["b", "a"]
        assert found["b"].tolist() == [0, 1, 2, 3, 4]


def test_npz_never_pickles(tmp_path):
    with pytest.raises(AssertionError):
        write_npz(tmp_path / "1.npz", {"a": np.array([{}], dtype=object)})


def test_a_status_file_is_replaced(tmp_path):
    write_status(tmp_path / "status.json", {"done": 1})
    write_status(tmp_path / "status.json", {"done": 2})
    assert json.loads((tmp_path / "status.json").read_text()) == {"done": 2}
    assert listing(tmp_path) == ["status.json"]


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"format_version": 1, "a"', "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "cannot be read"),
        (b"[1, 2]", "is not a file that rote wrote"),
        (b'{"a": 1}', "is not a file that rote wrote"),
        (b'{"format_version": "x"}', "is not a file that rote wrote"),
        (b'{"format_version": 2}', "has format_version 2, newer than this rote reads (1)"),
    ],
)
def test_damaged_and_foreign_json_is_one_line(tmp_path, text, message):
    path = tmp_path / "emm.json"
    path.write_bytes(text)
    with pytest.raises(RunError) as caught:
        read_json(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_json_asks_whether_it_is_a_run(tmp_path):
    with pytest.raises(RunError, match=r"does not exist; is .* a run directory"):
        read_json(tmp_path / "emm.json")
    with pytest.raises(RunError, match="cannot be read"):
        read_json(tmp_path)


def test_json_starts_with_its_version(tmp_path):
    write_json(tmp_path / "a.json", {"b": "ü", "a": 1.5})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert text == '{\n  "format_version": 1,\n  "b": "ü",\n  "a": 1.5\n}\n'
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "b.json", {"a": float("nan")})


# -- one configuration, one process ----------------------------------------------------------------


def test_the_same_configuration_opens_again_and_keeps_the_manifest(tmp_path):
    with Run(tmp_path, CONFIG, facts={"device": "cpu"}) as run, run.timed("train"):
        pass
    first = read_json(tmp_path / "manifest.json")
    with Run(tmp_path, CONFIG, facts={"device": "cuda"}) as run:
        run.add_seconds("train", 2.5)
    second = read_json(tmp_path / "manifest.json")
    assert first["versions"] == versions()
    assert second["device"] == "cpu"
    assert second["seconds"]["train"] == pytest.approx(first["seconds"]["train"] + 2.5, abs=1e-9)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (CONFIG | {"seed": 1}, "seed is 0 there and 1 here"),
        (CONFIG | {"train": {"batch": 64, "rate": 0.2}}, "train.rate is 0.1 there and 0.2 here"),
        (CONFIG | {"new": "x"}, 'new is null there and "x" here'),
        ({"kind": "train", "seed": 0}, "train is"),
    ],
)
def test_another_configuration_names_the_key_and_both_values(tmp_path, changed, message):
    Run(tmp_path, CONFIG).close()
    with pytest.raises(RunError) as caught:
        Run(tmp_path, changed)
    assert f"{tmp_path} belongs to another configuration ({message}" in str(caught.value)
    Run(tmp_path, CONFIG).close()  # and the refusal has let go of the lock


def test_another_kind_of_run_is_named(tmp_path):
    study = {"kind": "study", "study": "unique", "seed": 0}
    Run(tmp_path, study).close()
    for other, name in [
        (study | {"study": "size"}, "the study 'size'"),
        ({"kind": "emm"}, "a search for the EMM (`rote emm`)"),
        ({"kind": "train"}, "a training run (`rote train`)"),
    ]:
        with pytest.raises(RunError) as caught:
            Run(tmp_path, other)
        expected = f"{tmp_path} holds the study 'unique', not {name}; choose another `out`"
        assert str(caught.value) == expected
    Run(tmp_path, study).close()


def test_a_second_process_is_told_in_one_line(tmp_path, monkeypatch):
    hold = (
        "import sys; from pathlib import Path; from rote.core.run_folder import Run;"
        f"run = Run(Path(sys.argv[1]), {CONFIG!r}); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(tmp_path)]
    monkeypatch.setattr(runs, "LOCK_SECONDS", 0.1)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError) as caught:
            Run(tmp_path, CONFIG)
        other.kill()  # the kernel drops the lock with the process
    assert str(caught.value) == (
        f"another process is working in {tmp_path}; wait for it, stop it, or choose another `out`"
    )
    Run(tmp_path, CONFIG).close()


# -- metrics ---------------------------------------------------------------------------------------


def test_resuming_drops_later_rows_and_a_cut_last_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    metrics = Metrics(path)
    for seen in (10, 20, 30):
        metrics.append({"images_seen": seen, "loss": 1 / seen})
    with path.open("a") as handle:
        handle.write('{"images_seen": 40, "lo')
    assert [row["images_seen"] for row in read_metrics(path)] == [10, 20, 30]
    Metrics(path, resume_at=20).append({"images_seen": 25, "loss": 0.5})
    assert read_metrics(path) == [
        {"images_seen": 10, "loss": 0.1},
        {"images_seen": 20, "loss": 0.05},
        {"images_seen": 25, "loss": 0.5},
    ]


def test_starting_afresh_drops_all_rows(tmp_path):
    path = tmp_path / "metrics.jsonl"
    Metrics(path).append({"images_seen": 10})
    assert Metrics(path).rows == []
    assert path.read_text() == ""


def test_damaged_metrics_are_one_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"images_seen": 10}\n{"images_s\n{"images_seen": 30}\n')
    with pytest.raises(RunError, match=r"cannot be read .*; delete it and run again"):
        read_metrics(path)
    assert read_metrics(tmp_path / "none.jsonl") == []

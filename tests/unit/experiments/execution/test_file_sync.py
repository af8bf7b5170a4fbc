"""Files of a run on their way home: what is sent, in which order, and that nothing else is touched."""

import numpy as np
import pytest

from rote.core.atomic_files import write_file
from rote.experiments.execution.file_sync import LAST, FileSync


def put(folder, name, content):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_only_what_changed_is_sent_and_what_is_gone_goes(tmp_path):
    here, home = tmp_path / "here", tmp_path / "home"
    sender, receiver = FileSync(here), FileSync(home)
    assert sender.changed() == {}  # no folder yet
    put(here, "config.json", b"{}")
    put(here, "checkpoints/state.safetensors", b"1")
    put(here, ".lock", b"")
    put(here, "checkpoints/.state.safetensors.17.tmp", b"half")
    parcel = sender.changed()
    assert parcel == {"config.json": b"{}", "checkpoints/state.safetensors": b"1"}
    receiver.unpack(parcel)
    assert contents(home) == parcel
    assert sender.changed() == {}
    write_file(here / "checkpoints" / "state.safetensors", b"2")
    (here / "config.json").unlink()
    parcel = sender.changed()
    assert parcel == {"checkpoints/state.safetensors": b"2", "config.json": None}
    receiver.unpack(parcel)
    assert contents(home) == {"checkpoints/state.safetensors": b"2"}


def test_what_was_received_is_not_sent_back(tmp_path):
    worker = FileSync(tmp_path)
    worker.unpack({"metrics.jsonl": b"{}\n", "select/800.json": b"{}"})
    assert worker.changed() == {}
    write_file(tmp_path / "metrics.jsonl", b"{}\n{}\n")
    assert worker.changed() == {"metrics.jsonl": b"{}\n{}\n"}


def test_the_end_is_read_first_and_written_last(tmp_path, monkeypatch):
    """A run that looks finished at home has all its files, and a state all its lines of metrics."""
    names = [*LAST, "a.json", "checkpoints/800.safetensors", "metrics.jsonl", "z.npz"]
    for name in np.random.default_rng(0).permutation(names).tolist():
        put(tmp_path / "here", name, name.encode())
    parcel = FileSync(tmp_path / "here").changed()
    assert list(parcel)[:3] == list(reversed(LAST))
    written = []
    monkeypatch.setattr(
        "rote.experiments.execution.file_sync.write_file",
        lambda path, content: (
            written.append(path.relative_to(tmp_path / "home").as_posix()),
            write_file(path, content),
        ),
    )
    shuffled = {name: parcel[name] for name in sorted(parcel)}
    FileSync(tmp_path / "home").unpack(shuffled)
    assert written[-3:] == list(LAST)
    assert contents(tmp_path / "home") == contents(tmp_path / "here")


def test_a_parcel_does_not_leave_the_folder(tmp_path):
    for name in ("../x", "/x", "a/../../x"):
        with pytest.raises(AssertionError):
            FileSync(tmp_path / "home").unpack({name: b""})

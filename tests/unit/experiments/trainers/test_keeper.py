"""The log of a command; what a keeper ends is tested with `rote.experiments.trainers.process`."""

from rote.experiments.trainers.keeper import Log


def test_a_log_does_not_grow_without_end(tmp_path):
    path = tmp_path / "command.log"
    path.write_bytes(b"before")
    log = Log(str(path), 10)
    for number in range(100):
        log.write(b"%3d\n" % number)
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 20
    assert path.read_bytes() == b" 99\n"
    assert (tmp_path / "command.log.1").read_bytes() == b" 97\n 98\n"

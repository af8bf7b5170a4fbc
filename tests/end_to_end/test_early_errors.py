"""Errors of names, choices and missing files are said before anything heavy is imported.

Whether torch, NumPy and their kind are imported decides between a third of a second and three; the time
itself would depend on what else the machine does.
"""

import json
import subprocess
import sys
from pathlib import Path

CASES = {
    ("audit", "samples", "train", "--fail-abov", "1%"): "Possible options: --fail-above",
    ("audti", "samples", "train"): "Did you mean 'audit'?",
    ("audit", "samples", "trian"): "(did you mean 'train'?)",
    ("audit", "samples", "digit"): "(did you mean 'digits'?)",
    ("audit", "samples", "train", "--holdout", "tset/"): "give --holdout a folder",
    ("audit", "samples", "train", "--space", "pixl"): "(did you mean 'pixel'?)",
    ("audit", "samples", "train", "--criterion", "ratoi"): "(did you mean 'ratio'?)",
    ("audit", "samples", "train", "--device", "gpu"): "--device gpu is unknown",
    ("neighbors", "samples", "gone/", "--out", "o"): "'gone/' does not exist",
    ("compare", "samples", "gone"): "SECOND gone does not exist",
    ("emm", "gone/", "--out", "o"): "'gone/' does not exist",
    ("emm", "--preset", "tinny", "--out", "o"): "(did you mean 'tiny'?)",
    ("study", "widht", "--out", "o"): "the study 'widht' is unknown (did you mean 'width'?)",
    ("study", "width", "--data", "gone/", "--out", "o"): "'gone/' does not exist",
    ("train", "gone/", "--out", "o"): "'gone/' does not exist",
    ("train", "--track", "tensorbord", "--out", "o"): "(did you mean 'tensorboard'?)",
    ("sample", "gone", "--out", "o"): "gone does not exist",
    ("sample", "samples", "--solver", "huen", "--out", "o"): "(did you mean 'heun'?)",
    ("optimum", "digit", "--out", "o"): "(did you mean 'digits'?)",
    ("gap", "gone"): "gone does not exist; give the --out of `rote train`",
    ("membership", "gone"): "gone does not exist; give the --out of `rote train`",
    ("report", "gone"): "gone does not exist",
    ("rescore", "gone"): "gone does not exist",
    ("data", "show", "gone/"): "'gone/' does not exist",
    ("audit", "-h"): "",
    ("rescore", "-h"): "",
}
SCRIPT = """
import json, os, sys
import rote.cli
for case in json.loads(sys.argv[1]):
    sys.stdout.flush(), sys.stderr.flush()
    if os.fork() == 0:
        sys.argv, code = ["rote", *case], 0
        out, err = os.pipe(), os.pipe()
        os.dup2(err[1], 2), os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        try:
            rote.cli.main()
        except SystemExit as end:
            code = end.code or 0
        sys.stderr.flush()
        said = os.read(err[0], 65536).decode() if code else ""
        heavy = {"torch", "numpy", "scipy", "sklearn", "PIL"} & set(sys.modules)
        with open("answers", "a") as answers:
            answers.write(json.dumps([code, said, sorted(heavy)]) + "\\n")
        os._exit(0)
    os.wait()
"""


def test_nothing_heavy_is_imported_to_say_what_is_wrong(tmp_path: Path) -> None:
    for name in ("samples", "train"):
        (tmp_path / name).mkdir()
    command = [sys.executable, "-c", SCRIPT, json.dumps(list(CASES))]
    subprocess.run(command, cwd=tmp_path, check=True)
    answers = [json.loads(line) for line in (tmp_path / "answers").read_text().splitlines()]
    assert len(answers) == len(CASES)
    for (case, expected), (code, said, heavy) in zip(CASES.items(), answers, strict=True):
        assert heavy == [], case
        assert expected in said, (case, said)
        assert (code != 0) == bool(expected), case

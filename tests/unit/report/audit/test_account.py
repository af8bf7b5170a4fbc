"""What was read of each side stands on the page, whatever the names hold."""

import json

from report_page import report
from report_runs import HOSTILE, audit_run

from rote.report.audit.account import accounts_of
from rote.results.side import Side

GROUP = {"reason": "text", "extension": ".txt", "count": 2, "names": [HOSTILE]}
TREATED = {
    "what": "with transparency",
    "count": 4,
    "done": "laid over white",
    "names": ["a.png"],
    "said": True,
    "option": "alpha",
}
ACCOUNT = {
    "files": 1_006,
    "read": 1_000,
    "left_out": [GROUP],
    "treated": [TREATED],
    "notes": ["a sentence"],
    "unit": "files",
}


def test_the_account_of_a_side_is_on_the_page(tmp_path):
    out = tmp_path / "audit"
    audit_run(out)
    audit = json.loads((out / "audit.json").read_text())
    audit["generated"]["account"] = ACCOUNT
    (out / "audit.json").write_text(json.dumps(audit))
    text = report(out).text
    for part in (
        "Generated: what was read",
        "1,000 of 1,006",
        "2 .txt: text (such as ",
        "4 with transparency: laid over white (such as a.png)",
        "a sentence",
    ):
        assert part in text
    assert "Training: what was read" not in text


def test_many_reasons_are_cut_short():
    account = {**ACCOUNT, "left_out": [{**GROUP, "extension": f".{n}"} for n in range(9)]}
    told = {"source": "a", "digest": "d", "count": 1, "shape": [1, 8, 8], "kind": "image"}
    side = Side.model_validate_json(json.dumps(told | {"account": account}))
    ((title, rows),) = accounts_of([("Generated", side)])
    assert title == "Generated: what was read"
    assert [row for row in rows if row[0] == "left out"][-1] == ("left out", "for 3 more reasons")
    assert len(rows) == 1 + 7 + 1 + 1

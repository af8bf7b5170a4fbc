"""Names that are known early are those of the catalogs."""

import sys
from pathlib import Path

import pytest

from rote.cli.names import CRITERIA, SPACES, criterion_names, space_names, study_names
from rote.core.errors import DataError
from rote.data.ahead.existing import existing_path


def test_the_names_are_those_of_the_catalogs(monkeypatch) -> None:
    from rote import spaces
    from rote.experiments.studies.factor import factor_names
    from rote.memorization import criteria

    assert tuple(spaces.SPACES._own) == SPACES
    assert tuple(criteria.CRITERIA._own) == CRITERIA
    assert set(factor_names()) == set(study_names())
    assert space_names() == spaces.SPACES.names  # those of extensions, too
    for module in ("rote.spaces.catalog", "rote.memorization.criteria.catalog"):
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "rote.experiments.studies.factor")
    assert (space_names(), criterion_names()) == (SPACES, CRITERIA)
    assert len(study_names()) == 26


@pytest.mark.parametrize(
    ("given", "hint"), [("trian", "train"), ("./trian/", "train"), ("photo.zip", "photos.zip")]
)
def test_a_missing_path_names_what_is_nearly_called_so(given, hint, tmp_path: Path, monkeypatch):
    (tmp_path / "train").mkdir()
    (tmp_path / "photos.zip").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf"\(did you mean '{hint}'\?\)"):
        existing_path(given)
    with pytest.raises(DataError, match="neither a named source"):
        existing_path("elsewhere")

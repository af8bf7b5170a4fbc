"""An audit by the ratio alone, whose numbers can be worked out by hand."""

from dataclasses import asdict

from rote.memorization.audit.audit import Audit, audit
from rote.memorization.audit.options import RATIO_ONLY

BARE = {name: getattr(RATIO_ONLY, name) for name in asdict(RATIO_ONLY)}


def ratio_audit(generated, training, **options) -> Audit:
    """Audit with exact duplicates and no positive control, unless the options ask for more."""
    return audit(generated, training, **BARE | {"device": "cpu"} | options)


def answer(value):
    """Return the content of an `audit.json` without how it was made, in which two runs differ."""
    return {key: part for key, part in value.items() if key != "provenance"}

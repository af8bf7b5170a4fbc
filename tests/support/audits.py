"""An audit by the ratio alone, whose numbers can be worked out by hand."""

from dataclasses import asdict

from rote.memorization.audit.audit import Audit, audit
from rote.memorization.audit.options import RATIO_ONLY

BARE = {name: getattr(RATIO_ONLY, name) for name in asdict(RATIO_ONLY)}


def ratio_audit(generated, training, **options) -> Audit:
    """Audit with exact duplicates and no positive control, unless the options ask for more."""
    return audit(generated, training, **BARE | {"device": "cpu"} | options)

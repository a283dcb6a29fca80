"""Whether an object is still as it was applied, so that nothing need be written."""

import hashlib
import json
import re
from decimal import Decimal

from portal.cluster.base import Manifest

# On every object that is applied: a hash of all that was wanted of it, so that a field which is no
# longer named is noticed as well.
APPLIED = "portal.example.org/applied"
# Here one name more changes the meaning, so that nothing may stand beside what is wanted.
_WHOLE = {"selector", "podSelector", "namespaceSelector", "matchLabels"}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[kMGTPE]|[KMGTPE]i)?")
_UNITS: dict[str | None, Decimal] = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


def stamped(manifest: Manifest) -> Manifest:
    """The manifest with its own hash."""
    text = json.dumps(manifest, sort_keys=True).encode()
    metadata = manifest["metadata"]
    annotations = metadata.get("annotations") or {}
    mark = {APPLIED: hashlib.sha256(text).hexdigest()[:32]}
    return {**manifest, "metadata": {**metadata, "annotations": {**annotations, **mark}}}


def is_as_wanted(there: object, wanted: object) -> bool:
    """Whether applying the stamped manifest, or this part, would change nothing; in doubt no."""
    if not wanted:
        return not there
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            there.get(name) == value if name in _WHOLE else is_as_wanted(there.get(name), value)
            for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        # One entry more may be a hole in a wall.
        if not isinstance(there, list) or len(there) != len(wanted):
            return False
        return all(map(is_as_wanted, there, wanted))
    return there == wanted or _is_same_quantity(there, wanted)


def _is_same_quantity(there: object, wanted: object) -> bool:
    """The API server writes "1" for "1000m"."""
    if not isinstance(there, str) or not isinstance(wanted, str):
        return False
    amounts = _QUANTITY.fullmatch(there), _QUANTITY.fullmatch(wanted)
    one, other = (Decimal(found[1]) * _UNITS[found[2]] if found else None for found in amounts)
    return one is not None and one == other

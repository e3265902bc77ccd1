"""Lengths of time as people type them: 90 s, 30 min, 4 h, 2 days."""

import re

_UNITS = {"s": 1, "min": 60, "h": 3600, "day": 86_400, "week": 604_800}
_NAMES = {
    "s": "s", "sec": "s", "second": "s", "m": "min", "min": "min", "minute": "min", "h": "h", "hour": "h",
    "d": "day", "day": "day", "w": "week", "week": "week",
}  # fmt: skip
_FORM = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]+?)s?", re.ASCII | re.IGNORECASE)


def read(text: str) -> int:
    """Its seconds. Raises ValueError, with a message for a person."""
    found = _FORM.fullmatch(text.strip())
    unit = _NAMES.get(found[2].lower()) if found else None
    if found is None or unit is None:
        raise ValueError("Say how long with its unit, such as 30 min, 4 h or 2 days.")
    return round(float(found[1]) * _UNITS[unit])


def words(seconds: int) -> str:
    """Seconds in the largest unit that fits, so that `read` gives them back."""
    for unit in ("day", "h", "min"):
        number, rest = divmod(seconds, _UNITS[unit])
        if number and not rest:
            return f"{number} {unit}{'s' if unit == 'day' and number > 1 else ''}"
    return f"{seconds} s"

"""Canonical JSON and digests of it."""

import hashlib
import json
from decimal import Decimal
from typing import Any

import orjson

WHOLE = 1e16  # from here on Python writes a float with an exponent, and `jsonb` gives it back as a whole number
OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def canonical(value: Any) -> bytes:
    """`value` as JSON with sorted keys and no spaces: equal values give equal bytes. UUIDs become text."""
    return orjson.dumps(value, option=OPTIONS)


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def json_digest(value: Any) -> str:
    """The digest of JSON as a column of type `jsonb` gives it back: the same before it is stored and after.

    Raises TypeError, OverflowError for what is no JSON.
    """
    return digest(json.loads(json.dumps(value), parse_int=_whole, parse_float=_number))


def _whole(text: str) -> int | dict[str, str]:
    """Canonical JSON has whole numbers of 64 bits. A longer one stands by its digits, under a name no JSON column has:
    two of them that are nearly the same must not have one digest.
    """
    number = int(text)
    return number if -(2**63) <= number < 2**64 else {"\0": text}


def _number(text: str) -> int | float | dict[str, str]:
    number = float(text)
    return _whole(str(int(Decimal(text)))) if WHOLE <= abs(number) < float("inf") else number + 0.0


def text_digest(text: str) -> str:
    """SHA-256 of the text in UTF-8, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

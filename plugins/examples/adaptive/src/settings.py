"""The operator's settings."""

import json
import re
from dataclasses import dataclass

from ladder import RUNGS

UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

# JSON Schema of the settings.
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Settings of `adaptive`",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max": {
            "type": "string",
            "pattern": r"^\s*(\d+(ms|s|m|h|d)\s*)+$",
            "description": "The longest delay, from 1s to 17m; only the store's own advice may exceed it.",
            "default": "5m",
        },
        "confidence": {
            "type": "number",
            "minimum": 0.1,
            "maximum": 0.99,
            "description": "How large a part of earlier failures had to be over after the delay that is begun with.",
            "default": 0.5,
        },
    },
}


@dataclass(frozen=True)
class Settings:
    """What the operator set."""

    # In milliseconds.
    max: int
    confidence: float

    @property
    def top_rung(self) -> int:
        """The rung that reaches `max`."""
        return next((rung for rung in range(RUNGS) if 1000 << rung >= self.max), RUNGS - 1)


@dataclass(frozen=True)
class Problem:
    """A JSON Pointer, and what is wrong there."""

    pointer: str
    message: str


def parse(text: str) -> Settings | list[Problem]:
    """The settings, or all that is wrong with them."""
    given = json.loads(text)
    properties = SCHEMA["properties"]
    problems = [
        Problem(f"/{escaped(key)}", f"unknown; there are {', '.join(properties)}")
        for key in given
        if key not in properties
    ]
    longest = given.get("max", properties["max"]["default"])
    millis = duration(longest)
    if millis is None or not 1000 <= millis <= 1_020_000:
        problems.append(Problem("/max", f'must be a duration from 1s to 17m such as "5m", not {shown(longest)}'))
    confidence = given.get("confidence", properties["confidence"]["default"])
    # A Boolean is a number to Python.
    is_number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    if not is_number or not 0.1 <= confidence <= 0.99:
        problems.append(Problem("/confidence", f"must be a number from 0.1 to 0.99, not {shown(confidence)}"))
    return problems or Settings(max=millis, confidence=float(confidence))


def duration(text) -> int | None:
    """`1m 30s` in milliseconds."""
    if not isinstance(text, str) or not re.fullmatch(r"\s*([0-9]{1,9}(ms|s|m|h|d)\s*)+", text):
        return None
    return sum(int(count) * UNITS[unit] for count, unit in re.findall(r"([0-9]+)(ms|s|m|h|d)", text))


def shown(value) -> str:
    return json.dumps(value)


def escaped(key: str) -> str:
    """A key as a part of a JSON Pointer."""
    return key.replace("~", "~0").replace("/", "~1")

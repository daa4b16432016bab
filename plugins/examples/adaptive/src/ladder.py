"""What is known about delays: how often each rung of the ladder was the last one that was needed."""

import json
from dataclasses import dataclass

# From 1 s to 17 min. Experience is kept by rung, so it stays true whatever the settings are.
RUNGS = 11

# What experience counts for after one more was made: the last ten or so matter.
FADES = 0.9

# Before so much experience nothing is recommended. Three recoveries weigh 2.71.
ENOUGH = 2.5


@dataclass(frozen=True)
class Experience:
    """A weight for each rung."""

    weights: tuple[float, ...] = (0.0,) * RUNGS

    def recommends(self, confidence: float) -> int:
        """The lowest rung with which so large a part of failures had been over; the lowest one without experience."""
        total = sum(self.weights)
        if total < ENOUGH:
            return 0
        reached = 0.0
        for rung, weight in enumerate(self.weights):
            reached += weight
            if reached >= confidence * total:
                return rung
        return RUNGS - 1

    def with_success(self, rung: int) -> "Experience":
        """After a failure that ended with this rung."""
        return Experience(
            tuple(round(weight * FADES + (at == rung), 3) for at, weight in enumerate(self.weights))
        )

    def to_bytes(self) -> bytes:
        return json.dumps(self.weights, separators=(",", ":")).encode()

    @staticmethod
    def from_bytes(stored: bytes | None) -> "Experience":
        """From its stored form. What is none, from another version say, is no experience."""
        try:
            weights = json.loads(stored or b"null")
        except ValueError:
            return Experience()
        if not isinstance(weights, list) or len(weights) != RUNGS:
            return Experience()
        if not all(isinstance(weight, int | float) and 0 <= weight <= 1e6 for weight in weights):
            return Experience()
        return Experience(tuple(float(weight) for weight in weights))

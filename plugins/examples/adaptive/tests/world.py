"""What the logic sees of the host."""

from types import SimpleNamespace

from memory import Memory, StateFailed

NOW = 1_800_000_000_000
LARGEST = 2**64 - 1
KIND = "store.timeout"


def facts(**given):
    """The facts of a decision as the host gives them, with what a test says instead."""
    return SimpleNamespace(**{"now": NOW, "attempts": 1, "last_success": None, "entropy": LARGEST, **given})


class State:
    """The contract's `state`, which may fail, or change under the policy's hands."""

    def __init__(self):
        self.kept = {}
        self.calls = 0
        self.fails_from = None
        self.others = []

    def load(self, of_node, key):
        self._called()
        return self.kept.get((of_node, key))

    def swap(self, of_node, key, expected, value):
        self._called()
        if self.others:
            self.kept[(of_node, key)] = self.others.pop()
        if self.kept.get((of_node, key)) != expected:
            return False
        self.kept[(of_node, key)] = value
        return True

    def memory(self, warnings=None):
        return Memory(self, (warnings if warnings is not None else []).append)

    def _called(self):
        self.calls += 1
        if self.fails_from is not None and self.calls >= self.fails_from:
            raise StateFailed("the ledger is gone")

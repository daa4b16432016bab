"""What is remembered between decisions, in the host's `state`: instances remember nothing.

    of the stream   `proposal`      the kind of the last failure, the rung that was proposed, and when
    of the node     `store.timeout` and so on, one key for each kind of failure: its experience

That is one key of some 60 bytes a stream, and at most 11 of some 100 bytes for the node.
"""

import json
from dataclasses import asdict, dataclass
from typing import Callable, Protocol

from ladder import RUNGS, Experience

# How often a value that somebody else changed in between is read again.
ROUNDS = 3


class StateFailed(Exception):
    """The host could not read or keep something."""


class State(Protocol):
    """The contract's `state`; its errors are `StateFailed`."""

    def load(self, of_node: bool, key: str) -> bytes | None: ...

    def swap(self, of_node: bool, key: str, expected: bytes | None, value: bytes) -> bool: ...


@dataclass(frozen=True)
class Proposal:
    """What was answered to the stream's last failure."""

    kind: str
    rung: int
    at: int

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @staticmethod
    def from_bytes(stored: bytes | None) -> "Proposal | None":
        """From its stored form; `None` for what is none."""
        try:
            fields = json.loads(stored or b"null")
            proposal = Proposal(str(fields["kind"]), int(fields["rung"]), int(fields["at"]))
        except (ValueError, TypeError, KeyError):
            return None
        return proposal if 0 <= proposal.rung < RUNGS else None


class Memory:
    """The memory of one decision. Without the state there is no experience, and a delay all the same."""

    def __init__(self, state: State, warn: Callable[[str], None]):
        self._state = state
        self._warn = warn
        self._works = True

    def last_proposal(self) -> Proposal | None:
        return Proposal.from_bytes(self._load(False, "proposal"))

    def propose(self, proposal: Proposal) -> None:
        self._update(False, "proposal", lambda _: proposal.to_bytes())

    def experience(self, kind: str) -> Experience:
        return Experience.from_bytes(self._load(True, kind))

    def learn(self, last: Proposal) -> None:
        """The failure was over after what was proposed last."""
        learned = lambda stored: Experience.from_bytes(stored).with_success(last.rung).to_bytes()
        self._update(True, last.kind, learned)

    def _load(self, of_node: bool, key: str) -> bytes | None:
        return self._attempt(lambda: self._state.load(of_node, key))

    def _update(self, of_node: bool, key: str, change: Callable[[bytes | None], bytes]) -> None:
        def swap() -> bool:
            stored = self._state.load(of_node, key)
            return self._state.swap(of_node, key, stored, change(stored))

        for _ in range(ROUNDS):
            # `None` stands for a state that failed, and there is nothing to be done about that.
            if self._attempt(swap) is not False:
                return
        self._warn(f"`{key}` kept changing and was left as it is")

    def _attempt(self, call):
        # After a failure nothing is asked again: where the host calls are used up, the next one would be a trap.
        if not self._works:
            return None
        try:
            return call()
        except StateFailed as failure:
            self._works = False
            self._warn(f"decides without what it remembers: {failure}")
            return None

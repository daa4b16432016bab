import unittest

import settings
from ladder import RUNGS, Experience
from logic import decide
from memory import Proposal

from .world import KIND, NOW, State, facts

DEFAULTS = settings.parse("{}")
LAST = Proposal(KIND, 3, NOW)


class MemoryTest(unittest.TestCase):
    def test_what_was_kept_is_read_again(self):
        state = State()
        state.memory().propose(LAST)
        state.memory().learn(LAST)
        self.assertEqual(state.memory().last_proposal(), LAST)
        self.assertEqual(state.memory().experience(KIND).weights[3], 1)

    def test_what_somebody_else_changed_in_between_is_read_again(self):
        state = State()
        state.others = [Experience().with_success(9).to_bytes()]
        state.memory().learn(LAST)
        weights = state.memory().experience(KIND).weights
        self.assertEqual((weights[3], weights[9]), (1, 0.9))

    def test_what_never_stops_changing_is_left_alone(self):
        state, warnings = State(), []
        state.others = [Experience().with_success(rung).to_bytes() for rung in range(5)]
        state.memory(warnings).learn(LAST)
        self.assertEqual(warnings, ["`store.timeout` kept changing and was left as it is"])

    def test_without_the_state_there_is_a_delay_all_the_same(self):
        for calls in range(1, 6):
            state, warnings = State(), []
            state.memory().propose(Proposal(KIND, 0, NOW - 5000))
            state.calls, state.fails_from = 0, calls
            asked = facts(last_success=NOW - 1)
            self.assertEqual(decide(DEFAULTS, asked, KIND, 0, state.memory(warnings)), 1000)
            self.assertEqual(warnings, ["decides without what it remembers: the ledger is gone"])
            self.assertEqual(state.calls, calls, "nothing is asked after a failure")

    def test_what_is_none_of_ours_is_nothing(self):
        for stored in [b"", b"{", b"7", b"[1]", b'["a"]', b"\xff", b'{"kind": "x", "rung": 99, "at": 1}']:
            state = State()
            state.kept = {(False, "proposal"): stored, (True, KIND): stored}
            self.assertIsNone(state.memory().last_proposal())
            self.assertEqual(state.memory().experience(KIND), Experience())

    def test_experience_is_bounded(self):
        experience = Experience()
        for turn in range(1000):
            experience = experience.with_success(turn % RUNGS)
        self.assertLess(len(experience.to_bytes()), 100)
        self.assertLess(sum(experience.weights), 10.1)


if __name__ == "__main__":
    unittest.main()

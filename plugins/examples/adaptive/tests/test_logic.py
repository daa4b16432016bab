import json
import unittest

import settings
from logic import decide

from .world import KIND, LARGEST, NOW, State, facts

DEFAULTS = settings.parse("{}")


def delays(state, count, start, chosen=DEFAULTS, entropy=LARGEST, kind=KIND, succeeded=None):
    """The delays of so many failures in a row, each right after the delay before."""
    now, found = start, []
    for attempt in range(1, count + 1):
        asked = facts(now=now, attempts=attempt, last_success=succeeded, entropy=entropy)
        found.append(decide(chosen, asked, kind, 0, state.memory()))
        now += found[-1]
    return found


def recover(state, times, after, kind=KIND):
    """So many rows of failures, each of which the delay number `after` ends."""
    now, succeeded = NOW, None
    for _ in range(times):
        now += sum(delays(state, after, now, kind=kind, succeeded=succeeded))
        succeeded = now
        now += 60_000
    return succeeded


class Without(unittest.TestCase):
    """Without experience."""

    def test_delays_double_up_to_the_maximum(self):
        expected = [1000, 2000, 4000, 8000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]
        self.assertEqual(delays(State(), 11, NOW), expected)

    def test_half_of_the_delay_is_left_to_chance(self):
        self.assertEqual(delays(State(), 2, NOW, entropy=1), [500, 1000])
        self.assertEqual(delays(State(), 2, NOW, entropy=LARGEST // 2), [750, 1500])

    def test_two_recoveries_are_no_experience(self):
        state = State()
        succeeded = recover(state, 2, after=5)
        # The third row of failures learns of the second one's end.
        self.assertEqual(delays(state, 1, succeeded + 1, succeeded=succeeded), [1000])


class With(unittest.TestCase):
    """With experience."""

    def test_what_helped_before_is_begun_with(self):
        state = State()
        succeeded = recover(state, 4, after=1)
        self.assertEqual(delays(state, 2, succeeded + 1, succeeded=succeeded), [1000, 2000])
        state = State()
        succeeded = recover(state, 3, after=5)
        self.assertEqual(delays(state, 3, succeeded + 1, succeeded=succeeded), [16_000, 32_000, 64_000])

    def test_each_kind_has_its_own(self):
        state = State()
        succeeded = recover(state, 3, after=5)
        delays(state, 1, succeeded + 1, succeeded=succeeded)
        self.assertEqual(delays(state, 1, succeeded + 2, kind="store.throttled"), [1000])

    def test_one_failure_in_eight_begins_lower(self):
        state = State()
        succeeded = recover(state, 3, after=5)
        [explored] = delays(state, 1, succeeded + 1, entropy=LARGEST - 7, succeeded=succeeded)
        self.assertEqual(explored, 8000)

    def test_more_confidence_begins_higher(self):
        sure = settings.parse('{"confidence": 0.9}')
        state = State()
        weights = [0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0]
        state.kept[(True, KIND)] = json.dumps(weights).encode()
        self.assertEqual(delays(state, 1, NOW), [4000])
        self.assertEqual(delays(state, 1, NOW, sure), [16_000])

    def test_the_maximum_of_the_settings_bounds_what_was_learned(self):
        short = settings.parse('{"max": "3s"}')
        state = State()
        succeeded = recover(state, 3, after=5)
        self.assertEqual(delays(state, 2, succeeded + 1, short, succeeded=succeeded), [3000, 3000])

    def test_a_failure_that_never_ended_teaches_nothing(self):
        state = State()
        for row in range(5):
            delays(state, 5, NOW + row, succeeded=NOW - 1)
        self.assertEqual(list(state.kept), [(False, "proposal")])


class Always(unittest.TestCase):
    def test_what_needs_a_change_waits_for_one_and_remembers_nothing(self):
        state = State()
        for kind in ["schema-invalid", "schema-conflict"]:
            self.assertIsNone(decide(DEFAULTS, facts(), kind, 0, state.memory()))
        self.assertEqual(state.calls, 0)

    def test_the_stores_advice_is_a_lower_bound(self):
        self.assertEqual(decide(DEFAULTS, facts(), KIND, 90_000, State().memory()), 90_000)


if __name__ == "__main__":
    unittest.main()

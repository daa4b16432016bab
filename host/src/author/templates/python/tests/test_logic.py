"""Tests of the logic, without WebAssembly."""

import unittest
from types import SimpleNamespace

import logic
import settings
from logic import Tagged


def facts(**known):
    """A stream of which nothing is known, but for what a test says."""
    unknown = dict(
        tenant=None,
        name="app",
        node="n1",
        now=1_000_000,
        node_seen=0,
        attempts=0,
        failing_since=None,
        absent_since=None,
        absences=0,
        last_success=None,
        previous_delay=None,
        local=Tagged("missing"),
        remote=Tagged("unknown"),
        staged_data_files=0,
        oldest_data_file=None,
        schema_key="app/n1.schema.json",
        peers_prefix="app/",
        base_key=None,
        defaults=[],
        attributes=[],
        entropy=0,
    )
    return SimpleNamespace(**{**unknown, **known})


class Settings(unittest.TestCase):
    def wrong(self, given):
        with self.assertRaises(settings.Wrong) as raised:
            settings.read(given)
        return [pointer for pointer, _ in raised.exception.problems]

    def test_what_is_wrong_is_told_at_once(self):
        self.assertEqual(self.wrong({"what": 1, "why/not": 2}), ["/what", "/why~1not"])
        # @if existence
        self.assertEqual(settings.read({"grace": "1h 30m"}).grace, 90 * 60 * 1000)
        self.assertEqual(self.wrong({"grace": "soon"}), ["/grace"])
        # @end
        # @if fallback
        self.assertEqual(self.wrong({"checks": -1, "schema": 7}), ["/checks", "/schema"])
        # @end
        # @if retry
        self.assertEqual(self.wrong({"first": "2s", "longest": "1s"}), ["/first"])
        self.assertEqual(self.wrong({"first": "", "longest": "90d"}), ["/first", "/longest"])
        # @end

    def test_every_setting_takes_its_own_default(self):
        properties = settings.schema()["properties"]
        defaults = {name: schema["default"] for name, schema in properties.items()}
        self.assertEqual(settings.read(defaults), settings.read({}))


# @if existence
class Existence(unittest.TestCase):
    grace = settings.read({"grace": "2m"})

    def test_data_that_waits_for_too_long_makes_a_schema_absent(self):
        def waiting(since):
            return logic.check(self.grace, facts(now=1_000_000, oldest_data_file=since))

        self.assertEqual(waiting(None).tag, "not-expected")
        self.assertEqual(waiting(950_000), Tagged("unsettled", 70_000))
        self.assertEqual(waiting(880_000).tag, "absent")
        self.assertEqual(waiting(2_000_000).tag, "unsettled")

    def test_what_is_staged_is_there_if_it_is_a_schema(self):
        def staged(well_formed):
            file = SimpleNamespace(well_formed=well_formed)
            return logic.check(self.grace, facts(local=Tagged("file", file))).tag

        self.assertEqual((staged(True), staged(False)), ("present", "abstain"))


# @end
# @if fallback
class Fallback(unittest.TestCase):
    def test_a_schema_that_does_not_come_is_replaced(self):
        logs = settings.read({"checks": 2, "schema": "logs"})

        def choice(**known):
            return logic.choose(logs, facts(**known), "no data")

        self.assertEqual(choice(absences=1).tag, "skip")
        self.assertEqual(choice(absences=2, defaults=["logs"]), Tagged("named", "logs"))
        self.assertEqual(choice(absences=2), Tagged("peers"))


# @end
# @if retry
class Retry(unittest.TestCase):
    def test_delays_double_up_to_the_longest(self):
        ten = settings.read({"first": "1s", "longest": "10s"})

        def delay(attempts, entropy):
            return logic.decide(ten, facts(attempts=attempts, entropy=entropy), Tagged("other", "")).value

        for entropy in [0, 1, 499, 500, 501, 2**64 - 1]:
            self.assertTrue(500 <= delay(1, entropy) <= 1_000)
            self.assertTrue(4_000 <= delay(4, entropy) <= 8_000)
            self.assertTrue(delay(2**32 - 1, entropy) <= 10_000)

    def test_the_store_and_the_file_have_their_say(self):
        failure = SimpleNamespace(kind="throttled", message="", retry_after=30_000)
        throttled, invalid = Tagged("store", failure), Tagged("schema-invalid", "it ends too soon")
        once = facts(attempts=1)
        self.assertEqual(logic.decide(settings.read({}), once, throttled), Tagged("after", 30_000))
        self.assertEqual(logic.decide(settings.read({}), once, invalid), Tagged("on-change"))


# @end
if __name__ == "__main__":
    unittest.main()

import unittest

from settings import Problem, Settings, parse


class SettingsTest(unittest.TestCase):
    def test_all_have_defaults(self):
        self.assertEqual(parse("{}"), Settings(max=300_000, confidence=0.5))
        self.assertEqual(parse('{"max": "1m 30s", "confidence": 0.9}'), Settings(90_000, 0.9))

    def test_all_problems_are_told_at_once_each_with_its_place(self):
        problems = parse('{"a/b~": 1, "max": "1h", "confidence": true}')
        self.assertEqual([problem.pointer for problem in problems], ["/a~1b~0", "/max", "/confidence"])

    def test_a_problem_says_what_would_be_right(self):
        self.assertEqual(
            parse('{"max": 5}'),
            [Problem("/max", 'must be a duration from 1s to 17m such as "5m", not 5')],
        )

    def test_what_is_no_duration_is_refused(self):
        for text in ["", "5", "5 x", "-1s", "999999999999999999d", "500ms"]:
            self.assertIsInstance(parse(f'{{"max": "{text}"}}'), list, text)


if __name__ == "__main__":
    unittest.main()

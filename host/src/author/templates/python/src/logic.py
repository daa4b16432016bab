"""What the policy decides: facts in, verdict out.

It calls nothing of the host, so it is tested natively (`python3 -m unittest`).

Facts and verdicts are those of `wit/deps/tidegate-policy`, with names in snake_case. Times are numbers of milliseconds,
what is not there is `None`, and variants are `Tagged`.
"""

from typing import Any, NamedTuple


class Tagged(NamedTuple):
    """A case of a variant, by its name in the contract, and what it carries."""

    tag: str
    value: Any = None


# @if existence
def check(settings, facts):
    """Is the stream's schema there, and if not, should it be?"""
    if facts.local.tag == "file" and facts.local.value.well_formed:
        return Tagged("present")
    if facts.local.tag != "missing":
        # Something stands there that is no schema: the host's own rule is good enough.
        return Tagged("abstain")
    if facts.oldest_data_file is None:
        return Tagged("not-expected", "no data waits")
    # The clock may step backwards.
    waited = max(facts.now - facts.oldest_data_file, 0)
    if waited < settings.grace:
        return Tagged("unsettled", settings.grace - waited)
    return Tagged("absent", f"data has waited for {waited // 1000} s without a schema")


# @end
# @if fallback
def choose(settings, facts, reason):
    """What do we publish for a stream whose schema is absent?"""
    if facts.absences < settings.checks:
        return Tagged("skip", f"it may come yet: {reason}")
    if settings.schema in facts.defaults:
        return Tagged("named", settings.schema)
    return Tagged("peers")


# @end
# @if retry
# After so many doublings, a delay stays as it is.
MAX_DOUBLINGS = 31


def decide(settings, facts, failure):
    """An attempt failed; when is the next one?"""
    if failure.tag == "schema-invalid":
        # The same file will not parse the next time either.
        return Tagged("on-change")
    doublings = min(max(facts.attempts - 1, 0), MAX_DOUBLINGS)
    most = min(settings.first << doublings, settings.longest)
    # Half of it is left to chance, so that those that failed together do not come back together. Chance comes from the
    # facts: the module `random` would begin alike in every instance, on every node.
    least = most // 2
    delay = least + facts.entropy % (most - least + 1)
    advice = failure.value.retry_after if failure.tag == "store" else None
    return Tagged("after", max(delay, advice or 0))


# @end

"""When a failed attempt is made again: after the delay that helped before.

Delays are rungs of a ladder, each twice as long as the one below. The first failure in a row begins on the rung that
experience with its kind recommends, each further one climbs a rung: without experience, plain exponential backoff.
"""

from ladder import RUNGS, Experience
from memory import Memory, Proposal
from settings import Settings

# Nothing but another file or another store object will help these.
NEEDS_A_CHANGE = ("schema-invalid", "schema-conflict")

# One in so many failures begins a rung lower, or the policy would never learn that a shorter delay is enough by now.
EXPLORE = 8


def decide(settings: Settings, facts, kind: str, advice: int, memory: Memory) -> int | None:
    """The delay in milliseconds, or `None` when only a change can help.

    `facts` are the contract's stream facts, `kind` names the failure, and `advice` is the least that the store asks for.
    """
    if kind in NEEDS_A_CHANGE:
        return None
    last = memory.last_proposal()
    if last and facts.attempts <= 1 and has_helped(last, facts):
        memory.learn(last)
    if last and facts.attempts > 1 and last.kind == kind:
        rung = last.rung + 1
    else:
        rung = first_rung(memory.experience(kind), settings, facts.entropy)
    rung = min(rung, RUNGS - 1, settings.top_rung)
    memory.propose(Proposal(kind, rung, facts.now))
    longest = min(1000 << rung, settings.max)
    return max(between(facts.entropy, longest // 2, longest), advice)


def has_helped(last: Proposal, facts) -> bool:
    """Whether the stream's schema was in the store after the delay that was proposed last."""
    return facts.last_success is not None and facts.last_success >= last.at


def first_rung(experience: Experience, settings: Settings, entropy: int) -> int:
    """Where the first failure in a row begins."""
    rung = experience.recommends(settings.confidence)
    # The low bits: the high ones choose the jitter.
    explores = entropy % EXPLORE == 0
    return max(rung - 1, 0) if explores else rung


def between(entropy: int, low: int, high: int) -> int:
    """A whole number from `low` to `high`, from the decision's random word.

    `random` would begin alike in every instance, on every node: its seed was fixed when the component was built.
    """
    return low + (entropy * (high - low + 1) >> 64)

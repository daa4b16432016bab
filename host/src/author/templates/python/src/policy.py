"""Joins the logic to the contract: what the component exports.

`wit_world` is made from `wit/` while the component is built.
"""

import dataclasses
import json
import re

import logic
import settings
from componentize_py_types import Err
from logic import Tagged
from wit_world import exports
from wit_world.exports import lifecycle
# @if existence
from wit_world.exports import existence
# @end
# @if fallback
from wit_world.exports import fallback
# @end
# @if retry
from wit_world.exports import retry
# @end

# Set once in every instance, before it is asked anything. Nothing else is kept: an instance may live for one decision or
# for many, and must answer the same.
current = None


def tagged(case):
    """A case of a variant, which the bindings have as a class: `LocalState_TooLarge(7)` is `too-large` of 7."""
    name = type(case).__name__.rpartition("_")[2]
    tag = re.sub("(?<!^)(?=[A-Z])", "-", name).lower()
    return Tagged(tag, getattr(case, "value", None))


def untagged(interface, variant, case):
    """The same in the other direction."""
    name = "".join(word.capitalize() for word in case.tag.split("-"))
    kind = getattr(interface, f"{variant}_{name}")
    return kind() if case.value is None else kind(case.value)


def plain(facts):
    """Facts as the logic knows them."""
    return dataclasses.replace(facts, local=tagged(facts.local), remote=tagged(facts.remote))


class Lifecycle(exports.Lifecycle):
    def describe(self):
        return lifecycle.Description(
            name="{{name}}",
            version="0.1.0",
            summary="One sentence for people who choose a policy.",
            settings_schema=json.dumps(settings.schema()),
            metadata=[],
        )

    def configure(self, text):
        global current
        try:
            current = settings.read(json.loads(text))
        except settings.Wrong as wrong:
            # What is raised is the contract's error, if it is an `Err`: all else is a trap.
            raise Err([lifecycle.SettingsProblem(pointer, message) for pointer, message in wrong.problems]) from None


# @if existence
class Existence(exports.Existence):
    def check(self, facts):
        return untagged(existence, "Presence", logic.check(current, plain(facts)))


# @end
# @if fallback
class Fallback(exports.Fallback):
    def choose(self, facts, reason):
        return untagged(fallback, "Choice", logic.choose(current, plain(facts), reason))


# @end
# @if retry
class Retry(exports.Retry):
    def decide(self, facts, failure):
        return untagged(retry, "Decision", logic.decide(current, plain(facts), tagged(failure)))


# @end

"""What the component exports, joined to the logic in the other modules, which know nothing of WebAssembly."""

import json

import logic
import memory
import settings
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import lifecycle, retry
from wit_world.imports import log, state, types

# One instance has one configuration for all of its life. Nothing else is kept here: an instance may live for one
# decision or for many, and must answer the same.
configured: settings.Settings


class Lifecycle(exports.Lifecycle):
    def describe(self) -> lifecycle.Description:
        return lifecycle.Description(
            name="adaptive",
            version="0.1.0",
            summary="Waits for as long as it took before, for each kind of failure.",
            settings_schema=json.dumps(settings.SCHEMA),
            metadata=[("licence", "Apache-2.0")],
        )

    def configure(self, settings_: str) -> None:
        global configured
        parsed = settings.parse(settings_)
        if isinstance(parsed, list):
            raise Err([lifecycle.SettingsProblem(problem.pointer, problem.message) for problem in parsed])
        configured = parsed


class Retry(exports.Retry):
    def decide(self, facts: types.StreamFacts, failure: types.Failure) -> retry.Decision:
        kind, advice = named(failure)
        millis = logic.decide(configured, facts, kind, advice, memory.Memory(HostState(), warn))
        return retry.Decision_OnChange() if millis is None else retry.Decision_After(millis)


def named(failure: types.Failure) -> tuple[str, int]:
    """The kind of the failure, and how long the store asks to wait."""
    match failure:
        case types.Failure_Store(value):
            kind = value.kind.name.lower().replace("_", "-")
            return f"store.{kind}", value.retry_after or 0
        case types.Failure_SchemaAbsent():
            return "schema-absent", 0
        case types.Failure_SchemaInvalid():
            return "schema-invalid", 0
        case types.Failure_SchemaConflict():
            return "schema-conflict", 0
        case _:
            return "other", 0


class HostState:
    """The host's `state`, in the words of `memory.State`."""

    def load(self, of_node: bool, key: str) -> bytes | None:
        return attempt(lambda: state.load(scope(of_node), key))

    def swap(self, of_node: bool, key: str, expected: bytes | None, value: bytes) -> bool:
        return attempt(lambda: state.swap(scope(of_node), key, expected, value))


def scope(of_node: bool) -> state.Scope:
    return state.Scope.THIS_NODE if of_node else state.Scope.THIS_STREAM


def attempt(call):
    try:
        return call()
    except Err as error:
        raise memory.StateFailed(str(error.value)) from None


def warn(message: str) -> None:
    log.write(log.Level.WARN, message)

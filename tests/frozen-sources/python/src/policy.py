"""Every role, and every function that a policy may call. See ../../README.md."""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports import existence, fallback, lifecycle, retry
from wit_world.imports import log, object_reader, staging, state, types


class Lifecycle(exports.Lifecycle):
    def describe(self):
        return lifecycle.Description(
            name="frozen-python",
            version="0.1.0",
            summary="Calls all of the contract.",
            settings_schema="",
            metadata=[("language", "python")],
        )

    def configure(self, settings):
        if settings != "{}":
            raise Err([lifecycle.SettingsProblem("", "there are no settings")])


class Existence(exports.Existence):
    def check(self, facts):
        if isinstance(facts.local, types.LocalState_File):
            return existence.Presence_Present()
        try:
            files = staging.list_files()
            if not files:
                return existence.Presence_NotExpected("nothing is staged")
            staging.read_file(files[0].name, 0, 1)
            return existence.Presence_Absent("data waits")
        except Err:
            return existence.Presence_Unsettled(5000)


class Fallback(exports.Fallback):
    def choose(self, facts, reason):
        try:
            if is_there(facts.schema_key):
                return fallback.Choice_Skip("it is stored")
            entries = object_reader.list_objects(facts.peers_prefix, None, 1).entries
            if entries:
                object_reader.get(entries[0].key, 0, 16)
                return fallback.Choice_Peers()
        except Err:
            raise Err("the store can not tell") from None
        return fallback.Choice_Named(facts.defaults[0]) if facts.defaults else fallback.Choice_Abstain()


def is_there(key):
    try:
        object_reader.head(key)
        return True
    except Err as error:
        if isinstance(error.value, object_reader.ReadError_NotFound):
            return False
        raise


class Retry(exports.Retry):
    def decide(self, facts, failure):
        log.write(log.Level.INFO, "an attempt failed")
        if not isinstance(failure, types.Failure_Store):
            return retry.Decision_OnChange()
        try:
            if state.load(state.Scope.THIS_STREAM, "seen") is not None:
                return retry.Decision_Abandon("seen before")
            state.swap(state.Scope.THIS_STREAM, "seen", None, b"\x01")
        except Err:
            return retry.Decision_Abstain()
        return retry.Decision_After(1000 + facts.entropy % 1000)

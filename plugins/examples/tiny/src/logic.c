#include "logic.h"

typedef exports_existence_presence_t presence_t;

// `then`, but not before `wait` is over that began at `since`. A clock that stepped back starts the wait anew.
static presence_t after(uint64_t now, uint64_t since, uint32_t wait, presence_t then) {
    uint64_t passed = now > since ? now - since : 0;
    if (passed >= wait) return then;
    return (presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_UNSETTLED, .val.unsettled = wait - (uint32_t)passed};
}

presence_t check(const types_stream_facts_t *facts) {
    presence_t present = {.tag = EXPORTS_EXISTENCE_PRESENCE_PRESENT};
    if (facts->local.tag == TYPES_LOCAL_STATE_FILE)
        return after(facts->now, facts->local.val.file.stable_since, SETTLE, present);
    // What can't be read is reported by the host; a fallback in its place would hide it.
    if (facts->local.tag != TYPES_LOCAL_STATE_MISSING) return present;
    if (!facts->oldest_data_file.is_some)
        return (presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_NOT_EXPECTED,
                            .val.not_expected = SAID("nothing is staged")};
    return after(facts->now, facts->oldest_data_file.val, PATIENCE,
                 (presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_ABSENT,
                              .val.absent = SAID("data waits without a schema")});
}

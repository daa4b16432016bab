#include "logic.h"

#include <string.h>

// @if existence
presence_t check(const settings_t *settings, const types_stream_facts_t *facts) {
    if (facts->local.tag == TYPES_LOCAL_STATE_FILE && facts->local.val.file.well_formed)
        return (presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_PRESENT};
    if (facts->local.tag != TYPES_LOCAL_STATE_MISSING)
        // Something stands there that is no schema: the host's own rule is good enough.
        return (presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_ABSTAIN};
    if (!facts->oldest_data_file.is_some)
        return (presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_NOT_EXPECTED, .reason = "no data waits"};
    // The clock may step backwards.
    uint64_t since = facts->oldest_data_file.val;
    uint64_t waited = facts->now > since ? facts->now - since : 0;
    if (waited < settings->grace)
        return (presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_UNSETTLED, .delay = settings->grace - (uint32_t)waited};
    return (presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_ABSENT, .reason = "data has waited without a schema"};
}

// @end
// @if fallback
static bool is_default(const setting_text_t *name, const policy_list_string_t *defaults) {
    for (size_t i = 0; i < defaults->len; i++)
        if (defaults->ptr[i].len == name->length && memcmp(defaults->ptr[i].ptr, name->text, name->length) == 0)
            return true;
    return false;
}

choice_t choose(const settings_t *settings, const types_stream_facts_t *facts) {
    if (facts->absences < settings->checks)
        return (choice_t){.tag = EXPORTS_FALLBACK_CHOICE_SKIP, .reason = "it may come yet"};
    if (is_default(&settings->schema, &facts->defaults))
        return (choice_t){.tag = EXPORTS_FALLBACK_CHOICE_NAMED};
    return (choice_t){.tag = EXPORTS_FALLBACK_CHOICE_PEERS};
}

// @end
// @if retry
// After so many doublings, a delay stays as it is.
#define MAX_DOUBLINGS 31

decision_t decide(const settings_t *settings, const types_stream_facts_t *facts, const types_failure_t *failure) {
    if (failure->tag == TYPES_FAILURE_SCHEMA_INVALID)
        // The same file will not parse the next time either.
        return (decision_t){.tag = EXPORTS_RETRY_DECISION_ON_CHANGE};
    uint32_t doublings = facts->attempts > 0 ? facts->attempts - 1 : 0;
    if (doublings > MAX_DOUBLINGS) doublings = MAX_DOUBLINGS;
    uint64_t most = (uint64_t)settings->first << doublings;
    if (most > settings->longest) most = settings->longest;
    // Half of it is left to chance, so that those that failed together do not come back together. Chance comes from the
    // facts: a generator of the policy's own would start alike in every instance, on every node.
    uint64_t least = most / 2;
    uint64_t delay = least + facts->entropy % (most - least + 1);
    if (failure->tag == TYPES_FAILURE_STORE && failure->val.store.retry_after.is_some &&
        failure->val.store.retry_after.val > delay)
        delay = failure->val.store.retry_after.val;
    return (decision_t){.tag = EXPORTS_RETRY_DECISION_AFTER, .delay = (uint32_t)delay};
}
// @end

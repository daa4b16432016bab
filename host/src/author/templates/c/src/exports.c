// Joins the logic to the contract. `bindings/` is written by `tidegate policy build` from `wit/`.
#include "logic.h"

#include <stdlib.h>

// Set once in every instance, before it is asked anything.
static settings_t settings;

void exports_lifecycle_describe(exports_lifecycle_description_t *ret) {
    // What is answered is freed behind the call, so it is copied.
    policy_string_dup(&ret->name, "{{name}}");
    policy_string_dup(&ret->version, "0.1.0");
    policy_string_dup(&ret->summary, "One sentence for people who choose a policy.");
    static char schema[4096];
    policy_string_dup_n(&ret->settings_schema, schema, settings_schema(schema, sizeof schema));
    ret->metadata.ptr = NULL;
    ret->metadata.len = 0;
}

// The JSON Pointer (RFC 6901) to a setting.
static policy_string_t pointer_to(const settings_problem_t *problem) {
    policy_string_t pointer = {.ptr = malloc(1 + 2 * problem->key_length), .len = 0};
    if (!pointer.ptr) abort();
    pointer.ptr[pointer.len++] = '/';
    for (size_t i = 0; i < problem->key_length; i++) {
        char c = problem->key[i];
        pointer.ptr[pointer.len++] = (uint8_t)(c == '~' || c == '/' ? '~' : c);
        if (c == '~' || c == '/') pointer.ptr[pointer.len++] = c == '~' ? '0' : '1';
    }
    return pointer;
}

// Every exported function answers true for a result, and false with `err` set for an error.
bool exports_lifecycle_configure(policy_string_t *text, exports_lifecycle_list_settings_problem_t *err) {
    settings_problem_t problems[SETTINGS_PROBLEMS];
    size_t found = settings_read((const char *)text->ptr, text->len, &settings, problems);
    if (found > 0) {
        err->ptr = malloc(found * sizeof *err->ptr);
        if (!err->ptr) abort();
        err->len = found;
        for (size_t i = 0; i < found; i++) {
            err->ptr[i].pointer = pointer_to(&problems[i]);
            policy_string_dup(&err->ptr[i].message, problems[i].message);
        }
    }
    policy_string_free(text);
    return found == 0;
}

// @if existence
bool exports_existence_check(exports_existence_stream_facts_t *facts, exports_existence_presence_t *ret,
                             policy_string_t *err) {
    (void)err;
    presence_t presence = check(&settings, facts);
    ret->tag = presence.tag;
    if (presence.tag == EXPORTS_EXISTENCE_PRESENCE_UNSETTLED) ret->val.unsettled = presence.delay;
    if (presence.tag == EXPORTS_EXISTENCE_PRESENCE_ABSENT) policy_string_dup(&ret->val.absent, presence.reason);
    if (presence.tag == EXPORTS_EXISTENCE_PRESENCE_NOT_EXPECTED)
        policy_string_dup(&ret->val.not_expected, presence.reason);
    types_stream_facts_free(facts);
    return true;
}

// @end
// @if fallback
bool exports_fallback_choose(exports_fallback_stream_facts_t *facts, policy_string_t *reason,
                             exports_fallback_choice_t *ret, policy_string_t *err) {
    (void)err;
    choice_t choice = choose(&settings, facts);
    ret->tag = choice.tag;
    if (choice.tag == EXPORTS_FALLBACK_CHOICE_SKIP) policy_string_dup(&ret->val.skip, choice.reason);
    if (choice.tag == EXPORTS_FALLBACK_CHOICE_NAMED)
        policy_string_dup_n(&ret->val.named, settings.schema.text, settings.schema.length);
    policy_string_free(reason);
    types_stream_facts_free(facts);
    return true;
}

// @end
// @if retry
bool exports_retry_decide(exports_retry_stream_facts_t *facts, exports_retry_failure_t *failure,
                          exports_retry_decision_t *ret, policy_string_t *err) {
    (void)err;
    decision_t decision = decide(&settings, facts, failure);
    ret->tag = decision.tag;
    if (decision.tag == EXPORTS_RETRY_DECISION_AFTER) ret->val.after = decision.delay;
    types_failure_free(failure);
    types_stream_facts_free(facts);
    return true;
}
// @end

// Every role, and every function that a policy may call. See ../../README.md.
#include "policy.h"

#include "memory.h"

#define TEXT(text) ((policy_string_t){(uint8_t *)(text), sizeof(text) - 1})

void exports_lifecycle_describe(exports_lifecycle_description_t *ret) {
    static policy_tuple2_string_string_t language = {TEXT("language"), TEXT("c")};
    ret->name = TEXT("frozen-c");
    ret->version = TEXT("0.1.0");
    ret->summary = TEXT("Calls all of the contract.");
    ret->settings_schema = TEXT("");
    ret->metadata.ptr = &language;
    ret->metadata.len = 1;
}

bool exports_lifecycle_configure(policy_string_t *settings, exports_lifecycle_list_settings_problem_t *err) {
    static exports_lifecycle_settings_problem_t problem = {TEXT(""), TEXT("there are no settings")};
    err->ptr = &problem;
    err->len = 1;
    memory_forget();
    return settings->len == 2;
}

static exports_existence_presence_t check(const exports_existence_stream_facts_t *facts) {
    exports_existence_presence_t unsettled = {.tag = EXPORTS_EXISTENCE_PRESENCE_UNSETTLED, .val.unsettled = 5000};
    if (facts->local.tag == TYPES_LOCAL_STATE_FILE)
        return (exports_existence_presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_PRESENT};
    staging_list_staged_file_t files;
    staging_staging_error_t failed;
    if (!staging_list_files(&files, &failed)) return unsettled;
    if (files.len == 0)
        return (exports_existence_presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_NOT_EXPECTED,
                                              .val.not_expected = TEXT("nothing is staged")};
    policy_list_u8_t bytes;
    if (!staging_read_file(&files.ptr[0].name, 0, 1, &bytes, &failed)) return unsettled;
    return (exports_existence_presence_t){.tag = EXPORTS_EXISTENCE_PRESENCE_ABSENT, .val.absent = TEXT("data waits")};
}

bool exports_existence_check(exports_existence_stream_facts_t *facts, exports_existence_presence_t *ret,
                             policy_string_t *err) {
    (void)err;
    *ret = check(facts);
    memory_forget();
    return true;
}

static bool choose(exports_fallback_stream_facts_t *facts, exports_fallback_choice_t *ret) {
    object_reader_object_info_t object;
    object_reader_read_error_t failed;
    if (object_reader_head(&facts->schema_key, &object, &failed)) {
        *ret = (exports_fallback_choice_t){.tag = EXPORTS_FALLBACK_CHOICE_SKIP, .val.skip = TEXT("it is stored")};
        return true;
    }
    if (failed.tag != OBJECT_READER_READ_ERROR_NOT_FOUND) return false;
    object_reader_object_page_t page;
    if (!object_reader_list_objects(&facts->peers_prefix, NULL, 1, &page, &failed)) return false;
    if (page.entries.len > 0) {
        object_reader_object_content_t content;
        ret->tag = EXPORTS_FALLBACK_CHOICE_PEERS;
        return object_reader_get(&page.entries.ptr[0].key, 0, 16, &content, &failed);
    }
    ret->tag = facts->defaults.len > 0 ? EXPORTS_FALLBACK_CHOICE_NAMED : EXPORTS_FALLBACK_CHOICE_ABSTAIN;
    if (facts->defaults.len > 0) ret->val.named = facts->defaults.ptr[0];
    return true;
}

bool exports_fallback_choose(exports_fallback_stream_facts_t *facts, policy_string_t *reason,
                             exports_fallback_choice_t *ret, policy_string_t *err) {
    (void)reason;
    *err = TEXT("the store can not tell");
    bool chosen = choose(facts, ret);
    // What is answered is read before anything else takes its place.
    memory_forget();
    return chosen;
}

static exports_retry_decision_t decide(const exports_retry_stream_facts_t *facts, const exports_retry_failure_t *failure) {
    policy_string_t message = TEXT("an attempt failed"), key = TEXT("seen");
    log_write(LOG_LEVEL_INFO, &message);
    if (failure->tag != TYPES_FAILURE_STORE) return (exports_retry_decision_t){.tag = EXPORTS_RETRY_DECISION_ON_CHANGE};
    policy_option_list_u8_t seen;
    state_state_error_t failed;
    exports_retry_decision_t abstain = {.tag = EXPORTS_RETRY_DECISION_ABSTAIN};
    if (!state_load(STATE_SCOPE_THIS_STREAM, &key, &seen, &failed)) return abstain;
    if (seen.is_some)
        return (exports_retry_decision_t){.tag = EXPORTS_RETRY_DECISION_ABANDON, .val.abandon = TEXT("seen before")};
    policy_list_u8_t one = {(uint8_t[]){1}, 1};
    bool swapped;
    if (!state_swap(STATE_SCOPE_THIS_STREAM, &key, NULL, &one, &swapped, &failed)) return abstain;
    return (exports_retry_decision_t){.tag = EXPORTS_RETRY_DECISION_AFTER,
                                      .val.after = 1000 + (uint32_t)(facts->entropy % 1000)};
}

bool exports_retry_decide(exports_retry_stream_facts_t *facts, exports_retry_failure_t *failure,
                          exports_retry_decision_t *ret, policy_string_t *err) {
    (void)err;
    *ret = decide(facts, failure);
    memory_forget();
    return true;
}

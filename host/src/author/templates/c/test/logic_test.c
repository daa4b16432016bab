// Tests of the logic, without WebAssembly.
#include "logic.h"

#include <stdio.h>
#include <string.h>

static int failures;

#define EXPECT(what)                                                   \
    do {                                                               \
        if (!(what)) {                                                 \
            printf("%s:%d: expected %s\n", __FILE__, __LINE__, #what); \
            failures++;                                                \
        }                                                              \
    } while (0)

static size_t read(const char *json, settings_t *settings, settings_problem_t problems[SETTINGS_PROBLEMS]) {
    return settings_read(json, strlen(json), settings, problems);
}

static settings_t settings_of(const char *json) {
    settings_t settings;
    settings_problem_t problems[SETTINGS_PROBLEMS];
    EXPECT(read(json, &settings, problems) == 0);
    return settings;
}

static void what_is_wrong_with_settings_is_told_at_once(void) {
    settings_t settings;
    settings_problem_t problems[SETTINGS_PROBLEMS];
    EXPECT(read("{}", &settings, problems) == 0);
    EXPECT(read("{\"what\":[{\"a\":1},\"}\\\"\"],\"why\":{}}", &settings, problems) == 2);
    EXPECT(strncmp(problems[1].key, "why", problems[1].key_length) == 0);
    // @if existence
    EXPECT(read("{\"grace\":\"1h 30m\"}", &settings, problems) == 0 && settings.grace == 90 * 60 * 1000);
    EXPECT(read("{\"grace\":\"soon\"}", &settings, problems) == 1);
    // @end
    // @if fallback
    EXPECT(read("{\"checks\":-1,\"schema\":7}", &settings, problems) == 2);
    // @end
    // @if retry
    EXPECT(read("{\"first\":\"2s\",\"longest\":\"1s\"}", &settings, problems) == 1);
    EXPECT(read("{\"first\":\"\",\"longest\":\"90d\"}", &settings, problems) == 2);
    // @end
}

// @if existence
static void data_that_waits_for_too_long_makes_a_schema_absent(void) {
    settings_t settings = settings_of("{\"grace\":\"2m\"}");
    types_stream_facts_t facts = {.now = 1000000};
    EXPECT(check(&settings, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_NOT_EXPECTED);

    facts.oldest_data_file.is_some = true;
    facts.oldest_data_file.val = facts.now - 50000;
    EXPECT(check(&settings, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_UNSETTLED);
    EXPECT(check(&settings, &facts).delay == 70000);
    facts.oldest_data_file.val = facts.now - 120000;
    EXPECT(check(&settings, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_ABSENT);

    facts.local.tag = TYPES_LOCAL_STATE_FILE;
    EXPECT(check(&settings, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_ABSTAIN);
    facts.local.val.file.well_formed = true;
    EXPECT(check(&settings, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_PRESENT);
}

// @end
// @if fallback
static void a_schema_that_does_not_come_is_replaced(void) {
    settings_t settings = settings_of("{\"checks\":2,\"schema\":\"logs\"}");
    policy_string_t logs = {.ptr = (uint8_t *)"logs", .len = 4};
    types_stream_facts_t facts = {.absences = 1, .defaults = {.ptr = &logs, .len = 1}};
    EXPECT(choose(&settings, &facts).tag == EXPORTS_FALLBACK_CHOICE_SKIP);
    facts.absences = 2;
    EXPECT(choose(&settings, &facts).tag == EXPORTS_FALLBACK_CHOICE_NAMED);
    facts.defaults.len = 0;
    EXPECT(choose(&settings, &facts).tag == EXPORTS_FALLBACK_CHOICE_PEERS);
}

// @end
// @if retry
static void delays_double_up_to_the_longest(void) {
    settings_t settings = settings_of("{\"first\":\"1s\",\"longest\":\"10s\"}");
    types_failure_t failure = {.tag = TYPES_FAILURE_OTHER};
    types_stream_facts_t facts = {.attempts = 1};
    for (facts.entropy = 0; facts.entropy < 2000; facts.entropy++) {
        uint32_t delay = decide(&settings, &facts, &failure).delay;
        EXPECT(delay >= 500 && delay <= 1000);
    }
    facts.attempts = 4;
    EXPECT(decide(&settings, &facts, &failure).delay >= 4000);
    facts.attempts = UINT32_MAX;
    EXPECT(decide(&settings, &facts, &failure).delay <= 10000);
}

static void the_store_and_the_file_have_their_say(void) {
    settings_t settings = settings_of("{}");
    types_stream_facts_t facts = {.attempts = 1};
    types_failure_t throttled = {.tag = TYPES_FAILURE_STORE};
    throttled.val.store.retry_after.is_some = true;
    throttled.val.store.retry_after.val = 30000;
    EXPECT(decide(&settings, &facts, &throttled).delay == 30000);
    types_failure_t invalid = {.tag = TYPES_FAILURE_SCHEMA_INVALID};
    EXPECT(decide(&settings, &facts, &invalid).tag == EXPORTS_RETRY_DECISION_ON_CHANGE);
}

// @end
int main(void) {
    what_is_wrong_with_settings_is_told_at_once();
    // @if existence
    data_that_waits_for_too_long_makes_a_schema_absent();
    // @end
    // @if fallback
    a_schema_that_does_not_come_is_replaced();
    // @end
    // @if retry
    delays_double_up_to_the_longest();
    the_store_and_the_file_have_their_say();
    // @end
    puts(failures ? "FAILED" : "ok");
    return failures != 0;
}

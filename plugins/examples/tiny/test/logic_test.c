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

#define NOW 1800000000000

static void a_file_is_present_once_it_is_quiet(void) {
    types_stream_facts_t facts = {.now = NOW, .local = {.tag = TYPES_LOCAL_STATE_FILE}};
    facts.local.val.file.stable_since = NOW - 999;
    EXPECT(check(&facts).tag == EXPORTS_EXISTENCE_PRESENCE_UNSETTLED);
    EXPECT(check(&facts).val.unsettled == 1);
    facts.local.val.file.stable_since = NOW - SETTLE;
    EXPECT(check(&facts).tag == EXPORTS_EXISTENCE_PRESENCE_PRESENT);
}

static void a_clock_that_stepped_back_waits_no_longer_than_settle(void) {
    types_stream_facts_t facts = {.now = NOW, .local = {.tag = TYPES_LOCAL_STATE_FILE}};
    facts.local.val.file.stable_since = NOW + 3600000;
    EXPECT(check(&facts).val.unsettled == SETTLE);
}

static void data_that_waits_makes_a_schema_absent(void) {
    types_stream_facts_t facts = {.now = NOW, .local = {.tag = TYPES_LOCAL_STATE_MISSING}};
    EXPECT(check(&facts).tag == EXPORTS_EXISTENCE_PRESENCE_NOT_EXPECTED);
    facts.oldest_data_file.is_some = true;
    facts.oldest_data_file.val = NOW - PATIENCE + 1;
    EXPECT(check(&facts).tag == EXPORTS_EXISTENCE_PRESENCE_UNSETTLED);
    EXPECT(check(&facts).val.unsettled == 1);
    facts.oldest_data_file.val = NOW - PATIENCE;
    EXPECT(check(&facts).tag == EXPORTS_EXISTENCE_PRESENCE_ABSENT);
    EXPECT(check(&facts).val.absent.len == strlen("data waits without a schema"));
}

static void what_cannot_be_read_is_left_to_the_host_to_report(void) {
    types_stream_facts_t facts = {.now = NOW};
    facts.local.tag = TYPES_LOCAL_STATE_TOO_LARGE;
    EXPECT(check(&facts).tag == EXPORTS_EXISTENCE_PRESENCE_PRESENT);
    facts.local.tag = TYPES_LOCAL_STATE_UNREADABLE;
    EXPECT(check(&facts).tag == EXPORTS_EXISTENCE_PRESENCE_PRESENT);
}

int main(void) {
    a_file_is_present_once_it_is_quiet();
    a_clock_that_stepped_back_waits_no_longer_than_settle();
    data_that_waits_makes_a_schema_absent();
    what_cannot_be_read_is_left_to_the_host_to_report();
    puts(failures ? "FAILED" : "ok");
    return failures != 0;
}

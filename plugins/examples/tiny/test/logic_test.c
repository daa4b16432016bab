// Tests of the logic, without WebAssembly.
#include "logic.h"
#include "settings.h"

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

static bool reads(const char *json, uint32_t *settle) { return settings_read(json, strlen(json), settle); }

static void settings_are_one_number(void) {
    uint32_t settle;
    EXPECT(reads("{}", &settle) && settle == SETTLE_DEFAULT);
    EXPECT(reads("{\"settle-ms\":0}", &settle) && settle == 0);
    EXPECT(reads("{\"settle-ms\":600000}", &settle) && settle == SETTLE_MOST);
    const char *wrong[] = {
        "{\"settle-ms\":600001}", "{\"settle-ms\":99999999999999999999}", "{\"settle-ms\":}",  "{\"settle-ms\":-1}",
        "{\"settle-ms\":1.5}",    "{\"settle-ms\":1,\"other\":2}",        "{\"settle-ms\":\"1\"}", "{\"settle_ms\":1}",
        "{\"other\":100000000}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) EXPECT(!reads(wrong[i], &settle));
}

static void a_file_is_present_once_it_is_quiet(void) {
    types_stream_facts_t facts = {.now = NOW, .local = {.tag = TYPES_LOCAL_STATE_FILE}};
    facts.local.val.file.stable_since = NOW - 999;
    EXPECT(check(1000, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_UNSETTLED);
    EXPECT(check(1000, &facts).val.unsettled == 1);
    EXPECT(check(999, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_PRESENT);
    facts.local.val.file.stable_since = 0;
    EXPECT(check(1000, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_PRESENT);
}

static void a_clock_that_stepped_back_waits_no_longer_than_settle(void) {
    types_stream_facts_t facts = {.now = NOW, .local = {.tag = TYPES_LOCAL_STATE_FILE}};
    facts.local.val.file.stable_since = NOW + 3600000;
    EXPECT(check(1000, &facts).val.unsettled == 1000);
}

static void data_that_waits_makes_a_schema_absent(void) {
    types_stream_facts_t facts = {.now = NOW, .local = {.tag = TYPES_LOCAL_STATE_MISSING}};
    EXPECT(check(1000, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_NOT_EXPECTED);
    facts.oldest_data_file.is_some = true;
    facts.oldest_data_file.val = NOW - PATIENCE + 1;
    EXPECT(check(1000, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_UNSETTLED);
    EXPECT(check(1000, &facts).val.unsettled == 1);
    facts.oldest_data_file.val = NOW - PATIENCE;
    EXPECT(check(1000, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_ABSENT);
    EXPECT(check(1000, &facts).val.absent.len == strlen("data waits without a schema"));
}

static void what_cannot_be_read_is_left_to_the_host_to_report(void) {
    types_stream_facts_t facts = {.now = NOW};
    facts.local.tag = TYPES_LOCAL_STATE_TOO_LARGE;
    EXPECT(check(1000, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_PRESENT);
    facts.local.tag = TYPES_LOCAL_STATE_UNREADABLE;
    EXPECT(check(1000, &facts).tag == EXPORTS_EXISTENCE_PRESENCE_PRESENT);
}

int main(void) {
    settings_are_one_number();
    a_file_is_present_once_it_is_quiet();
    a_clock_that_stepped_back_waits_no_longer_than_settle();
    data_that_waits_makes_a_schema_absent();
    what_cannot_be_read_is_left_to_the_host_to_report();
    puts(failures ? "FAILED" : "ok");
    return failures != 0;
}

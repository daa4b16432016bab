#include "settings.h"

#include <stdbool.h>
#include <string.h>

typedef enum { DURATION, COUNT, TEXT } kind_t;

// Every setting: one line here, and one field in settings.h.
static const struct {
    const char *key;
    kind_t kind;
    // As it would stand in JSON.
    const char *otherwise;
    const char *about;
    size_t field;
} SETTINGS[] = {
    // @if existence
    {"grace", DURATION, "\"2m\"", "How long data may wait for its schema.", offsetof(settings_t, grace)},
    // @end
    // @if fallback
    {"checks", COUNT, "3", "How many checks must find the schema absent first.", offsetof(settings_t, checks)},
    {"schema", TEXT, "\"\"", "The default schema to publish; empty for the merge of what the peers have.",
     offsetof(settings_t, schema)},
    // @end
    // @if retry
    {"first", DURATION, "\"1s\"", "The longest delay after the first failure.", offsetof(settings_t, first)},
    {"longest", DURATION, "\"1m\"", "The longest delay of all.", offsetof(settings_t, longest)},
    // @end
};

#define COUNT_OF_SETTINGS (sizeof SETTINGS / sizeof *SETTINGS)

// The part of each kind in the JSON Schema, and what to say where something else stands.
static const char *const SCHEMAS[] = {
    "\"type\":\"string\",\"pattern\":\"^(\\\\d+(ms|s|m|h|d) ?)+$\"",
    "\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295",
    "\"type\":\"string\",\"maxLength\":127",
};
static const char *const WANTED[] = {
    "write a length of time of 49 days at most, such as \"30s\" or \"1h 30m\"",
    "write a whole number from 0 to 4294967295",
    "write a text of 127 bytes at most, without quotes and backslashes",
};

// A part of a text.
typedef struct {
    const char *at;
    size_t length;
} slice_t;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What stands between the quotes of a JSON string that needs no escapes.
static bool unquoted(slice_t json, slice_t *text) {
    if (json.length < 2 || json.at[0] != '"') return false;
    *text = (slice_t){json.at + 1, json.length - 2};
    for (size_t i = 0; i < text->length; i++)
        if (text->at[i] == '\\') return false;
    return true;
}

static bool read_count(slice_t json, uint32_t *count) {
    uint64_t read = 0;
    for (size_t i = 0; i < json.length; i++) {
        if (!is_digit(json.at[i])) return false;
        read = read * 10 + (uint64_t)(json.at[i] - '0');
        if (read > UINT32_MAX) return false;
    }
    *count = (uint32_t)read;
    return json.length > 0;
}

// How many milliseconds the unit at the beginning of a text has, and how long it is; 0 for no unit.
static uint64_t unit(slice_t text, size_t *length) {
    *length = text.length > 1 && text.at[0] == 'm' && text.at[1] == 's' ? 2 : 1;
    if (*length == 2) return 1;
    switch (text.length > 0 ? text.at[0] : 0) {
    case 's': return 1000;
    case 'm': return 60 * 1000;
    case 'h': return 60 * 60 * 1000;
    case 'd': return 24 * 60 * 60 * 1000;
    default: return 0;
    }
}

// "1h 30m": numbers, each with a unit.
static bool read_duration(slice_t json, uint32_t *duration) {
    slice_t text;
    if (!unquoted(json, &text) || text.length == 0) return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < text.length;) {
        uint64_t number = 0;
        size_t digits = 0, letters;
        for (; i < text.length && is_digit(text.at[i]); i++, digits++) {
            number = number * 10 + (uint64_t)(text.at[i] - '0');
            if (number > UINT32_MAX) return false;
        }
        uint64_t milliseconds = unit((slice_t){text.at + i, text.length - i}, &letters);
        if (digits == 0 || milliseconds == 0) return false;
        sum += number * milliseconds;
        if (sum > UINT32_MAX) return false;
        i += letters;
        while (i < text.length && text.at[i] == ' ') i++;
    }
    *duration = (uint32_t)sum;
    return true;
}

static bool read_text(slice_t json, setting_text_t *to) {
    slice_t text;
    if (!unquoted(json, &text) || text.length > SETTING_TEXT) return false;
    memcpy(to->text, text.at, text.length);
    to->length = text.length;
    return true;
}

static bool read_setting(size_t which, slice_t json, settings_t *settings) {
    void *field = (char *)settings + SETTINGS[which].field;
    switch (SETTINGS[which].kind) {
    case DURATION: return read_duration(json, field);
    case COUNT: return read_count(json, field);
    default: return read_text(json, field);
    }
}

// The JSON value that begins at `*at`, which is left behind it: at the comma or brace that follows.
static slice_t value(slice_t json, size_t *at) {
    size_t begin = *at, depth = 0;
    bool quoted = false;
    for (; *at < json.length; ++*at) {
        char c = json.at[*at];
        if (quoted && c == '\\') {
            ++*at;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            if (depth == 0 && (c == ',' || c == ':' || c == '}')) break;
            depth += c == '{' || c == '[';
            depth -= c == '}' || c == ']';
        }
    }
    if (*at > json.length) *at = json.length;
    return (slice_t){json.at + begin, *at - begin};
}

static size_t which_setting(slice_t key) {
    size_t which = 0;
    while (which < COUNT_OF_SETTINGS && (strlen(SETTINGS[which].key) != key.length ||
                                         memcmp(SETTINGS[which].key, key.at, key.length) != 0))
        which++;
    return which;
}

static size_t tell(settings_problem_t problems[SETTINGS_PROBLEMS], size_t found, slice_t key, const char *message) {
    if (found == SETTINGS_PROBLEMS) return found;
    problems[found] = (settings_problem_t){key.at, key.length, message};
    return found + 1;
}

size_t settings_read(const char *text, size_t length, settings_t *settings,
                     settings_problem_t problems[SETTINGS_PROBLEMS]) {
    for (size_t which = 0; which < COUNT_OF_SETTINGS; which++)
        read_setting(which, (slice_t){SETTINGS[which].otherwise, strlen(SETTINGS[which].otherwise)}, settings);
    size_t found = 0;
    // The host hands over a JSON object without spaces, so this needs to be no judge of JSON.
    slice_t json = {text, length};
    for (size_t at = 1; at < json.length && json.at[at] == '"'; at++) {
        slice_t key = value(json, &at);
        at++;
        slice_t given = value(json, &at);
        slice_t name = {key.at + 1, key.length > 1 ? key.length - 2 : 0};
        size_t which = which_setting(name);
        if (which == COUNT_OF_SETTINGS)
            found = tell(problems, found, name, "there is no such setting");
        else if (!read_setting(which, given, settings))
            found = tell(problems, found, name, WANTED[SETTINGS[which].kind]);
    }
    // @if retry
    if (found == 0 && settings->first > settings->longest)
        found = tell(problems, found, (slice_t){"first", 5}, "this is more than `longest`");
    // @end
    return found;
}

typedef struct {
    char *to;
    size_t room, length;
} writer_t;

static void write(writer_t *writer, const char *text) {
    for (; *text && writer->length < writer->room; text++) writer->to[writer->length++] = *text;
}

size_t settings_schema(char *to, size_t room) {
    writer_t writer = {to, room, 0};
    write(&writer, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    for (size_t which = 0; which < COUNT_OF_SETTINGS; which++) {
        write(&writer, which ? ",\"" : "\"");
        write(&writer, SETTINGS[which].key);
        write(&writer, "\":{");
        write(&writer, SCHEMAS[SETTINGS[which].kind]);
        write(&writer, ",\"default\":");
        write(&writer, SETTINGS[which].otherwise);
        write(&writer, ",\"description\":\"");
        write(&writer, SETTINGS[which].about);
        write(&writer, "\"}");
    }
    write(&writer, "}}");
    return writer.length;
}

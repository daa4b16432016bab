// The settings that an operator writes into TOML, as the policy uses them.
#pragma once

#include <stddef.h>
#include <stdint.h>

// The longest text of a setting, in bytes.
#define SETTING_TEXT 127

typedef struct {
    char text[SETTING_TEXT];
    size_t length;
} setting_text_t;

typedef struct {
    // @if existence
    // How long data may wait for its schema, in milliseconds.
    uint32_t grace;
    // @end
    // @if fallback
    // How many checks must find the schema absent first.
    uint32_t checks;
    // The default schema to publish; empty for the merge of what the peers have.
    setting_text_t schema;
    // @end
    // @if retry
    // The longest delay after the first failure, in milliseconds.
    uint32_t first;
    // The longest delay of all, in milliseconds.
    uint32_t longest;
    // @end
} settings_t;

// What is wrong with a setting.
typedef struct {
    // The setting, as it stands in the JSON text.
    const char *key;
    size_t key_length;
    // What would be right.
    const char *message;
} settings_problem_t;

// More problems than these are not told at once.
#define SETTINGS_PROBLEMS 8

// Reads a JSON object of settings. What it does not name has its default. Answers with the number of problems.
size_t settings_read(const char *json, size_t length, settings_t *settings,
                     settings_problem_t problems[SETTINGS_PROBLEMS]);

// Writes the JSON Schema of the settings, cut where there is no more room. Answers with its length.
size_t settings_schema(char *to, size_t room);

// The settings that an operator writes into TOML: one number.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How long a file must have stood unchanged, in milliseconds.
#define SETTLE_DEFAULT 1000
// The host waits for no longer than this in a row.
#define SETTLE_MOST 600000

// JSON Schema of the settings.
#define SETTINGS_SCHEMA                                                                                        \
    "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{\"settle-ms\":{\"type\":\"integer\"," \
    "\"minimum\":0,\"maximum\":600000,\"default\":1000}}}"

// What is wrong where the settings are wrong.
#define SETTINGS_WANTED "write `settle-ms`, a number from 0 to 600000"

// Reads `{}` or `{"settle-ms":N}`. False for anything else.
bool settings_read(const char *json, size_t length, uint32_t *settle);

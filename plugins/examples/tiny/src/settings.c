#include "settings.h"

// The host hands over a JSON object without spaces, so the one setting looks like this and no other way.
static const char KEY[] = "{\"settle-ms\":";
#define KEY_LENGTH (sizeof KEY - 1)

bool settings_read(const char *json, size_t length, uint32_t *settle) {
    *settle = SETTLE_DEFAULT;
    if (length == 2) return true;
    if (length < KEY_LENGTH + 2) return false;
    for (size_t i = 0; i < KEY_LENGTH; i++)
        if (json[i] != KEY[i]) return false;
    uint32_t number = 0;
    for (size_t i = KEY_LENGTH; i < length - 1; i++) {
        uint32_t digit = (uint32_t)json[i] - '0';
        number = number * 10 + digit;
        if (digit > 9 || number > SETTLE_MOST) return false;
    }
    *settle = number;
    return json[length - 1] == '}';
}

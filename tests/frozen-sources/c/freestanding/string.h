// What the bindings need of the C library; a policy has none.
#pragma once

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t length);
size_t strlen(const char *text);

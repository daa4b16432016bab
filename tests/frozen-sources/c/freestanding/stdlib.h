// What the bindings need of the C library; a policy has none.
#pragma once

#include <stddef.h>

void *realloc(void *old, size_t size);
void free(void *block);
_Noreturn void abort(void);

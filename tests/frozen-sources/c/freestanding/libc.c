// The few functions of the C library that the bindings need. They are for the component only.
//
// All memory that is handed out holds the arguments of the one call that is under way, so it is taken in order and given
// back as a whole.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define PAGE 65536

// Where the linker says that free memory begins.
extern char __heap_base;

static size_t taken;

void memory_forget(void) { taken = 0; }

void *realloc(void *old, size_t size) {
    // The host never lets a block grow: it knows its size when it asks for one.
    if (old) abort();
    size_t at = (size_t)&__heap_base + taken;
    at = (at + 7) & ~(size_t)7;
    size_t end = at + size;
    size_t room = __builtin_wasm_memory_size(0) * PAGE;
    // The host ends the call where there is no memory left, so there is no failure to see here.
    if (end > room) __builtin_wasm_memory_grow(0, (end - room + PAGE - 1) / PAGE);
    taken = end - (size_t)&__heap_base;
    return (void *)at;
}

// See `memory_forget`.
void free(void *block) { (void)block; }

// A trap: the host ends the decision, and holds it against the policy.
void abort(void) { __builtin_trap(); }

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

// With `-mbulk-memory` this is an instruction.
void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    return __builtin_memcpy(to, from, length);
}

// The few functions of the C library that a policy has. They are for the component only: native tests have the real ones.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// A block of memory. Free ones are in a list by address, so that neighbours grow together again.
typedef struct block {
    size_t size;
    struct block *next;
} block_t;

_Static_assert(sizeof(block_t) == 8, "what stands behind it must be aligned for every type");

#define PAGE 65536

static block_t *free_blocks;

void free(void *pointer) {
    if (!pointer) return;
    block_t *block = (block_t *)pointer - 1;
    block_t *before = NULL, *behind = free_blocks;
    while (behind && behind < block) {
        before = behind;
        behind = behind->next;
    }
    block->next = behind;
    if (behind && (char *)(block + 1) + block->size == (char *)behind) {
        block->size += sizeof *behind + behind->size;
        block->next = behind->next;
    }
    if (!before) {
        free_blocks = block;
    } else if ((char *)(before + 1) + before->size == (char *)block) {
        before->size += sizeof *block + block->size;
        before->next = block->next;
    } else {
        before->next = block;
    }
}

// Takes pages from the host. It ends the call where there is none left, so there is no failure to see here.
static void take(size_t size) {
    size_t pages = (size + sizeof(block_t) + PAGE - 1) / PAGE;
    block_t *block = (block_t *)(__builtin_wasm_memory_grow(0, pages) * PAGE);
    block->size = pages * PAGE - sizeof *block;
    free(block + 1);
}

void *malloc(size_t size) {
    if (size > SIZE_MAX - 2 * PAGE) abort();
    size = (size + 7) & ~(size_t)7;
    for (;;) {
        block_t **link = &free_blocks;
        while (*link && (*link)->size < size) link = &(*link)->next;
        block_t *block = *link;
        if (!block) {
            take(size);
            continue;
        }
        if (block->size - size > sizeof *block) {
            block_t *rest = (block_t *)((char *)(block + 1) + size);
            rest->size = block->size - size - sizeof *block;
            rest->next = block->next;
            block->size = size;
            block->next = rest;
        }
        *link = block->next;
        return block + 1;
    }
}

void *realloc(void *old, size_t size) {
    if (!old) return malloc(size);
    size_t had = ((block_t *)old - 1)->size;
    if (size <= had) return old;
    void *moved = malloc(size);
    memcpy(moved, old, had);
    free(old);
    return moved;
}

// A trap: the host ends the decision, and holds it against the policy.
void abort(void) { __builtin_trap(); }

// With `-mbulk-memory` these three are instructions.
void *memcpy(void *restrict to, const void *restrict from, size_t length) {
    return __builtin_memcpy(to, from, length);
}

void *memmove(void *to, const void *from, size_t length) { return __builtin_memmove(to, from, length); }

void *memset(void *to, int byte, size_t length) { return __builtin_memset(to, byte, length); }

int memcmp(const void *a, const void *b, size_t length) {
    const uint8_t *x = a, *y = b;
    for (; length > 0; x++, y++, length--)
        if (*x != *y) return *x - *y;
    return 0;
}

size_t strlen(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

// What the policy decides: facts in, verdict out. It calls nothing of the host, so it is tested natively (`make test`).
#pragma once

#include "policy.h"

// How long a file must have stood unchanged, in milliseconds.
#define SETTLE 1000
// How long data files wait before a schema is owed, in milliseconds. Parseable stages schemas every 60 s.
#define PATIENCE 130000

// A text that is answered. All of them are constants, so none is copied, and none is freed.
#define SAID(text) {(uint8_t *)(text), sizeof(text) - 1}

// Is the stream's schema there, and if not, should it be?
exports_existence_presence_t check(const types_stream_facts_t *facts);

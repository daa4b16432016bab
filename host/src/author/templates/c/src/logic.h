// What the policy decides: facts in, verdict out. It calls nothing of the host, so it is tested natively (`make test`).
#pragma once

#include "policy.h"
#include "settings.h"

// @if existence
// A verdict of the role `existence`: which of EXPORTS_EXISTENCE_PRESENCE_…, and what belongs to it.
typedef struct {
    uint8_t tag;
    // Why, for people: of `absent` and `not-expected`.
    const char *reason;
    // When to look again, in milliseconds: of `unsettled`.
    uint32_t delay;
} presence_t;

// Is the stream's schema there, and if not, should it be?
presence_t check(const settings_t *settings, const types_stream_facts_t *facts);

// @end
// @if fallback
// A verdict of the role `fallback`: which of EXPORTS_FALLBACK_CHOICE_…, and what belongs to it.
typedef struct {
    uint8_t tag;
    // Why, for people: of `skip`.
    const char *reason;
} choice_t;

// What do we publish for a stream whose schema is absent? `named` is the schema of the settings.
choice_t choose(const settings_t *settings, const types_stream_facts_t *facts);

// @end
// @if retry
// A verdict of the role `retry`: which of EXPORTS_RETRY_DECISION_…, and what belongs to it.
typedef struct {
    uint8_t tag;
    // In milliseconds: of `after`.
    uint32_t delay;
} decision_t;

// An attempt failed; when is the next one?
decision_t decide(const settings_t *settings, const types_stream_facts_t *facts, const types_failure_t *failure);
// @end

// Joins the logic to the contract. `bindings/` is written by `tidegate policy build` from `wit/`.
#include "logic.h"
#include "memory.h"

void exports_lifecycle_describe(exports_lifecycle_description_t *ret) {
    ret->name = (policy_string_t)SAID("tiny");
    ret->version = (policy_string_t)SAID("0.1.0");
    ret->summary = (policy_string_t)SAID("A quiet file is present; data without one is absent.");
    ret->settings_schema = (policy_string_t)SAID("");
    ret->metadata.ptr = NULL;
    ret->metadata.len = 0;
}

// Every exported function answers true for a result, and false with `err` set for an error.
bool exports_lifecycle_configure(policy_string_t *text, exports_lifecycle_list_settings_problem_t *err) {
    static exports_lifecycle_settings_problem_t problem = {SAID(""), SAID("this policy has no settings")};
    err->ptr = &problem;
    err->len = 1;
    memory_forget();
    // The host hands over a JSON object without spaces: two bytes are `{}`.
    return text->len == 2;
}

bool exports_existence_check(exports_existence_stream_facts_t *facts, exports_existence_presence_t *ret,
                             policy_string_t *err) {
    (void)err;
    *ret = check(facts);
    memory_forget();
    return true;
}

// Nothing that is answered has to be freed behind a call, so the bindings' functions for that are replaced: these are
// not exported.
void __wasm_export_exports_lifecycle_describe_post_return(uint8_t *ret) { (void)ret; }
void __wasm_export_exports_lifecycle_configure_post_return(uint8_t *ret) { (void)ret; }
void __wasm_export_exports_existence_check_post_return(uint8_t *ret) { (void)ret; }

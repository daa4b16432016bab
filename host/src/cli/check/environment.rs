//! What the environment decides about the store.

use super::report::Report;
use crate::config::StoreEnvironment;

/// Lists the variables that are used, and those that are not although they concern the store. Never shows a value.
pub(super) fn variables(environment: &StoreEnvironment, report: &mut Report) {
    if !environment.used.is_empty() {
        let names = environment.used.join(", ");
        report.ok("environment", format!("the store also takes {names}"));
    }
    if !environment.unused.is_empty() {
        let mut text = "not used for the store:".to_owned();
        for (name, reason) in &environment.unused {
            text.push_str(&format!("\n{name}, {reason}"));
        }
        report.warning("environment", text);
    }
}

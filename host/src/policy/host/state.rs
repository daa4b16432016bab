use super::{Call, Entered};
use crate::contract::{Answered, State, StateError, StateScope};
use crate::policy::cause::shown;
use crate::policy::report::HostCallOutcome;

/// The longest key, in bytes.
const MAX_KEY: usize = 128;
/// The largest value, in bytes.
const MAX_VALUE: usize = 64 << 10;
/// The most keys of a scope.
const MAX_KEYS: u32 = 64;

impl State for Call {
    async fn load(
        &mut self,
        scope: StateScope,
        key: String,
    ) -> Answered<Option<Vec<u8>>, StateError> {
        let Some(entered) = self.enter("state.load", &key, key.len())? else {
            return Ok(Err(StateError::BudgetExhausted));
        };
        let result = self.load_value(&entered, scope, key).await;
        self.leave(&entered, outcome(&result, |value| value_len(value) as u64));
        Ok(result)
    }

    async fn swap(
        &mut self,
        scope: StateScope,
        key: String,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Answered<bool, StateError> {
        let accepted = key.len() + value_len(&expected) + value_len(&value);
        let Some(entered) = self.enter("state.swap", &key, accepted)? else {
            return Ok(Err(StateError::BudgetExhausted));
        };
        let result = self
            .swap_value(&entered, scope, key, &expected, value)
            .await;
        self.leave(&entered, outcome(&result, |_| 1));
        Ok(result)
    }
}

impl Call {
    async fn load_value(
        &mut self,
        entered: &Entered,
        scope: StateScope,
        key: String,
    ) -> Result<Option<Vec<u8>>, StateError> {
        let value = self.held(entered, scope, &key).await?;
        if !self.budget.give(value_len(&value) as u64) {
            return Err(StateError::BudgetExhausted);
        }
        Ok(value)
    }

    async fn swap_value(
        &mut self,
        entered: &Entered,
        scope: StateScope,
        key: String,
        expected: &Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Result<bool, StateError> {
        if value_len(&value) > MAX_VALUE {
            return Err(StateError::TooLarge(MAX_VALUE as u64));
        }
        let held = self.held(entered, scope, &key).await?;
        if held != *expected {
            return Ok(false);
        }
        if held.is_none() && value.is_some() {
            let committed = entered
                .world
                .count_state(scope)
                .await
                .map_err(StateError::Unavailable)?;
            if self.overlay.count(scope, committed) >= MAX_KEYS {
                return Err(StateError::TooLarge(MAX_KEYS.into()));
            }
        }
        self.overlay.write(scope, key, value);
        Ok(true)
    }

    /// The key's value as this decision sees it, asked from the ledger the first time.
    async fn held(
        &mut self,
        entered: &Entered,
        scope: StateScope,
        key: &str,
    ) -> Result<Option<Vec<u8>>, StateError> {
        if key.len() > MAX_KEY {
            return Err(StateError::TooLarge(MAX_KEY as u64));
        }
        if let Some(value) = self.overlay.value(scope, key) {
            return Ok(value);
        }
        let committed = entered
            .world
            .load_state(scope, key)
            .await
            .map_err(StateError::Unavailable)?;
        self.overlay.read(scope, key, committed.clone());
        Ok(committed)
    }
}

fn value_len(value: &Option<Vec<u8>>) -> usize {
    value.as_ref().map_or(0, Vec::len)
}

fn outcome<T>(result: &Result<T, StateError>, size: impl Fn(&T) -> u64) -> HostCallOutcome {
    match result {
        Ok(value) => HostCallOutcome::Done(size(value)),
        Err(StateError::TooLarge(_)) => HostCallOutcome::Refused("too-large"),
        Err(StateError::BudgetExhausted) => HostCallOutcome::Refused("budget-exhausted"),
        Err(StateError::Unavailable(cause)) => HostCallOutcome::Failed(shown(cause)),
    }
}

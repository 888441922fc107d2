//! Which tasks hold a transaction open.
//!
//! A call to WAHA while a transaction is open would, on SQLite, hold up every other writer for as long
//! as WAHA takes. Debug builds keep count, so that whoever calls WAHA can assert that none is open.

#[cfg(debug_assertions)]
use std::{collections::HashMap, sync::Mutex};

#[cfg(debug_assertions)]
static OPEN: Mutex<Option<HashMap<tokio::task::Id, usize>>> = Mutex::new(None);

/// Whether the running task holds a transaction open. Always `false` in release builds, and outside
/// of tasks.
#[must_use]
pub fn is_transaction_open_in_this_task() -> bool {
    #[cfg(debug_assertions)]
    if let (Some(task), Ok(open)) = (tokio::task::try_id(), OPEN.lock()) {
        return open.as_ref().is_some_and(|open| open.contains_key(&task));
    }
    false
}

/// Stands for one open transaction of the task that began it.
pub(crate) struct OpenTransaction {
    #[cfg(debug_assertions)]
    task: Option<tokio::task::Id>,
}

impl OpenTransaction {
    pub(crate) fn begin() -> Self {
        #[cfg(debug_assertions)]
        {
            let task = tokio::task::try_id();
            if let (Some(task), Ok(mut open)) = (task, OPEN.lock()) {
                *open.get_or_insert_default().entry(task).or_default() += 1;
            }
            Self { task }
        }
        #[cfg(not(debug_assertions))]
        Self {}
    }
}

#[cfg(debug_assertions)]
impl Drop for OpenTransaction {
    fn drop(&mut self) {
        if let (Some(task), Ok(mut open)) = (self.task, OPEN.lock())
            && let Some(open) = open.as_mut()
            && let Some(count) = open.get_mut(&task)
        {
            *count -= 1;
            if *count == 0 {
                open.remove(&task);
            }
        }
    }
}

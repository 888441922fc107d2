//! Which fields of an input are wrong.

use std::{collections::BTreeMap, fmt::Display};

/// The faulty fields of an input, each with everything that is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(BTreeMap<String, Vec<String>>);

impl FieldErrors {
    /// One faulty field.
    #[must_use]
    pub fn one(field: &str, fault: impl Display) -> Self {
        let mut errors = Self::default();
        errors.add(field, fault);
        errors
    }

    /// Adds a fault.
    pub fn add(&mut self, field: &str, fault: impl Display) {
        self.0
            .entry(field.to_owned())
            .or_default()
            .push(fault.to_string());
    }

    /// Takes a value that was checked, or notes its fault and goes on, so that all faults are told at
    /// once.
    pub fn take<T, E: Display>(&mut self, field: &str, checked: Result<T, E>) -> Option<T> {
        checked.map_err(|fault| self.add(field, fault)).ok()
    }

    /// The input that `complete` makes, if no field was faulty; `complete` gives `None` only if one
    /// was.
    pub fn finish<T>(self, complete: Option<T>) -> Result<T, Self> {
        match complete {
            Some(input) if self.0.is_empty() => Ok(input),
            _ => Err(self),
        }
    }

    /// The faults, by field.
    #[must_use]
    pub const fn by_field(&self) -> &BTreeMap<String, Vec<String>> {
        &self.0
    }
}

impl From<FieldErrors> for crate::ServiceError {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}

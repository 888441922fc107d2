//! Reads settings one by one and notes every fault, so that all are told at once.

use std::{
    fmt::{self, Display},
    str::FromStr,
};

use figment::{
    Figment, Metadata, Source,
    value::{Dict, Value},
};

use super::setting::{self, SETTINGS};

/// A faulty setting. Says which, where it came from, what is wrong and what would be right; never its
/// value, which may be a secret.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) setting: String,
    pub(crate) source: String,
    pub(crate) problem: String,
    pub(crate) example: Option<&'static str>,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            source,
            problem,
            example,
        } = self;
        write!(f, "{setting} (from {source}) {problem}")?;
        match example {
            Some(example) => write!(f, "; for example {setting} = {example}"),
            None => Ok(()),
        }
    }
}

/// The faults of a configuration.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is faulty:")?;
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

/// Reads settings.
pub(crate) struct Reader<'a> {
    figment: &'a Figment,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// Over what was given, which is checked for settings that do not exist.
    pub(crate) fn new(figment: &'a Figment) -> Self {
        let mut reader = Self {
            figment,
            faults: Vec::new(),
        };
        match figment.extract::<Dict>() {
            Ok(given) => reader.refuse_unknown("", &given),
            Err(error) => {
                // What follows the first line quotes the file.
                let text = error.kind.to_string();
                let problem = text.lines().next().unwrap_or("cannot be read").to_owned();
                let source = error.metadata.as_ref().map(|metadata| source(metadata, ""));
                reader.faults.push(Fault {
                    setting: "the configuration".to_owned(),
                    source: source.unwrap_or_else(|| "an unknown place".to_owned()),
                    problem: format!("cannot be read: {problem}"),
                    example: None,
                });
            }
        }
        reader
    }

    fn refuse_unknown(&mut self, prefix: &str, given: &Dict) {
        for (key, value) in given {
            let name = format!("{prefix}{key}");
            let section = format!("{name}.");
            let is_section = SETTINGS.iter().any(|setting| setting.name.starts_with(&section));
            match value {
                Value::Dict(_, values) if is_section => self.refuse_unknown(&section, values),
                _ if setting::named(&name).is_some() => {}
                _ if is_section => self.fault(&name, "is a group of settings, not a value"),
                _ => self.fault(
                    &name,
                    "is not a setting of wahana; wahana.example.toml lists all there are",
                ),
            }
        }
    }

    /// Notes a fault of a setting.
    pub(crate) fn fault(&mut self, name: &str, problem: impl Display) {
        self.faults.push(Fault {
            setting: name.to_owned(),
            source: self.source(name),
            problem: problem.to_string(),
            example: setting::named(name).map(|setting| setting.example),
        });
    }

    /// Takes a value that was checked, or notes its fault.
    pub(crate) fn take<T, E: Display>(&mut self, name: &str, checked: Result<T, E>) -> Option<T> {
        checked.map_err(|problem| self.fault(name, problem)).ok()
    }

    /// Where a setting's value comes from, for people.
    pub(crate) fn source(&self, name: &str) -> String {
        self.figment
            .find_metadata(name)
            .map_or_else(|| "the default".to_owned(), |metadata| source(metadata, name))
    }

    /// Whether a setting comes from the environment.
    pub(crate) fn is_from_environment(&self, name: &str) -> bool {
        let metadata = self.figment.find_metadata(name);
        metadata.is_some_and(is_environment)
    }

    /// A text; `None` if it was not given or is faulty.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        match self.figment.find_value(name).ok()? {
            Value::String(_, text) => Some(text),
            Value::Char(_, character) => Some(character.to_string()),
            _ => {
                self.fault(name, "must be a text");
                None
            }
        }
    }

    /// A whole number within bounds, `default` if it was not given.
    pub(crate) fn number(&mut self, name: &str, default: u64, least: u64, most: u64) -> u64 {
        let Ok(value) = self.figment.find_value(name) else {
            return default;
        };
        let signed = value.to_i128().and_then(|number| u64::try_from(number).ok());
        let number = signed.or_else(|| u64::try_from(value.to_u128()?).ok());
        if let Some(number) = number.filter(|number| (least..=most).contains(number)) {
            return number;
        }
        self.fault(name, format!("must be a whole number from {least} to {most}"));
        default
    }

    /// True or false; false if it was not given.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        match self.figment.find_value(name) {
            Err(_) => false,
            Ok(Value::Bool(_, flag)) => flag,
            Ok(_) => {
                self.fault(name, "must be true or false");
                false
            }
        }
    }

    /// A list of texts; one text with commas is a list too, for the environment.
    pub(crate) fn list(&mut self, name: &str) -> Vec<String> {
        match self.figment.find_value(name) {
            Err(_) => Vec::new(),
            Ok(Value::String(_, text)) => text
                .split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect(),
            Ok(Value::Array(_, values)) if values.iter().all(|value| value.as_str().is_some()) => {
                values.into_iter().filter_map(Value::into_string).collect()
            }
            Ok(_) => {
                self.fault(name, "must be a list of texts");
                Vec::new()
            }
        }
    }

    /// A list of what is written as texts; `None` if one of them is faulty.
    pub(crate) fn parsed_list<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<Vec<T>> {
        let texts = self.list(name);
        let parsed: Result<_, _> = texts.iter().map(|text| text.parse()).collect();
        self.take(name, parsed)
    }

    /// What was read, if nothing is faulty.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, Faults> {
        match read {
            Some(read) if self.faults.is_empty() => Ok(read),
            _ => Err(Faults(self.faults)),
        }
    }
}

fn source(metadata: &Metadata, name: &str) -> String {
    match &metadata.source {
        Some(Source::File(path)) => format!("file {}", path.display()),
        _ if is_environment(metadata) => {
            format!("environment variable {}", setting::environment_variable(name))
        }
        _ => "the command line".to_owned(),
    }
}

fn is_environment(metadata: &Metadata) -> bool {
    metadata.name.contains("environment")
}

//! What is logged, and how it is written.

use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::reader::Reader;

/// What is logged, and how it is written.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    /// Which lines, as `tracing_subscriber`'s filter reads it.
    pub(crate) level: String,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

const DEFAULT_LEVEL: &str = "info";

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Log> {
    let format = reader.text("log.format").unwrap_or_else(|| "text".to_owned());
    let format = match format.as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json"),
    };
    let format = reader.take("log.format", format);
    let level = reader
        .text("log.level")
        .unwrap_or_else(|| DEFAULT_LEVEL.to_owned());
    // For the filter's own reader, a word that is no level names a part of the program, all of whose lines
    // are then wanted, and no others: an empty log.
    let is_of_levels = level
        .split(',')
        .map(str::trim)
        .all(|part| part.contains(['=', '[']) || part.parse::<LevelFilter>().is_ok());
    let level = EnvFilter::try_new(&level)
        .ok()
        .filter(|_| is_of_levels)
        .map(|_| level)
        .ok_or("must be error, warn, info, debug or trace, or a filter such as info,wahana_api=debug");
    let level = reader.take("log.level", level);
    Some(Log {
        format: format?,
        level: level?,
    })
}

impl Log {
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let format = match self.format {
            LogFormat::Text => "\"text\"",
            LogFormat::Json => "\"json\"",
        };
        vec![
            ("log.format", format.to_owned()),
            ("log.level", format!("\"{}\"", self.level)),
        ]
    }
}

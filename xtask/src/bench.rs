//! `cargo xtask bench`: wahana side by side with yardsticks, in one run on one machine.
//!
//! Figures of one machine say little about another, so what counts are ratios: both sides run at the same
//! time, are asked in turn, and the medians of several rounds are compared.

mod events;
mod groups;
mod http;
mod load;
mod messages;
mod nginx;
mod programs;
mod report;
mod servers;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Args;
use tempfile::TempDir;

use self::load::Load;
use self::report::Measured;
use crate::interruption::Interruption;
use crate::system_packages;

/// How to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this group of measurements; may be repeated.
    #[arg(long, value_name = "NAME", value_parser = group_names())]
    only: Vec<String>,
    /// How many seconds each side is asked in each round.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many rounds there are, of which the median counts.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only see that everything works: few rows, three short rounds, and nothing is written down.
    #[arg(long)]
    quick: bool,
}

/// How long each side is asked before anything is measured.
const WARM_UP: Duration = Duration::from_secs(8);

/// Related measurements that share what they need.
struct Group {
    name: &'static str,
    measure: fn(&Bench) -> anyhow::Result<Vec<Measured>>,
}

const GROUPS: &[Group] = &[
    Group {
        name: "start",
        measure: groups::start,
    },
    Group {
        name: "list-sqlite",
        measure: groups::list_on_sqlite,
    },
    Group {
        name: "list-postgres",
        measure: groups::list_on_postgres,
    },
    Group {
        name: "pass-through",
        measure: groups::pass_through,
    },
    Group {
        name: "many-organizations",
        measure: groups::many_organizations,
    },
    Group {
        name: "events-sqlite",
        measure: events::stored_on_sqlite,
    },
    Group {
        name: "events-postgres",
        measure: events::stored_on_postgres,
    },
    Group {
        name: "events-shown",
        measure: events::shown,
    },
    Group {
        name: "reconcile",
        measure: events::round,
    },
    Group {
        name: "messages-handed-in",
        measure: messages::handed_in,
    },
    Group {
        name: "messages-waited-for",
        measure: messages::waited_for,
    },
    Group {
        name: "webhooks",
        measure: messages::delivered,
    },
    Group {
        name: "streams",
        measure: messages::streams,
    },
];

fn group_names() -> Vec<&'static str> {
    GROUPS.iter().map(|group| group.name).collect()
}

/// What the measurements share.
struct Bench {
    options: Options,
    interruption: Interruption,
    folder: TempDir,
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    const fn rounds(&self) -> u32 {
        if self.options.quick {
            3
        } else {
            self.options.rounds
        }
    }

    const fn round_length(&self) -> Duration {
        Duration::from_secs(if self.options.quick {
            1
        } else {
            self.options.seconds
        })
    }

    /// Asks both sides in turn, round after round.
    fn alternate(&self, sides: [&Load; 2]) -> anyhow::Result<[Vec<load::Outcome>; 2]> {
        let mut outcomes = [Vec::new(), Vec::new()];
        for side in sides {
            // The first who ask wait for news of all WAHA servers.
            side.run(WARM_UP, &self.interruption)?;
        }
        for _ in 0..self.rounds() {
            for (side, outcomes) in sides.iter().zip(&mut outcomes) {
                outcomes.push(side.run(self.round_length(), &self.interruption)?);
            }
        }
        Ok(outcomes)
    }
}

/// Measures, prints a table, and keeps the result of a complete run.
pub(crate) fn run(options: Options) -> anyhow::Result<()> {
    system_packages::ensure_for_bench()?;
    if !Path::new("/proc/self/status").exists() {
        bail!("cargo xtask bench needs Linux: it reads in /proc how much memory a program holds");
    }
    programs::build()?;
    let is_whole = options.only.is_empty() && !options.quick;
    let bench = Bench {
        options,
        interruption: Interruption::watch()?,
        folder: tempfile::Builder::new().prefix("wahana-bench-").tempdir()?,
    };
    let mut measured = Vec::new();
    for group in GROUPS {
        if bench.options.only.is_empty() || bench.options.only.iter().any(|name| name == group.name) {
            eprintln!("bench: {}", group.name);
            match (group.measure)(&bench) {
                Ok(lines) => measured.extend(lines),
                // Minutes of measuring are not thrown away.
                Err(error) if !measured.is_empty() => {
                    eprintln!("\n{}", report::table(&measured));
                    return Err(error.context(format!("measuring {} broke off", group.name)));
                }
                Err(error) => return Err(error),
            }
        }
    }
    ensure!(!measured.is_empty(), "nothing was measured");
    eprintln!("\n{}", report::table(&measured));
    if is_whole {
        report::keep(&bench, &measured)?;
    }
    Ok(())
}

/// The middle of the values; of an even number of them, the mean of the two in the middle.
fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        values if values.len() % 2 == 1 => values[upper],
        values => f64::midpoint(values[upper - 1], values[upper]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median([3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!(median([]).is_nan());
    }
}

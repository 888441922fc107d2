//! The table, and the file that keeps the last result.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Context as _, ensure};

use super::load::{CONNECTIONS, Outcome};
use super::{Bench, median};

const FILE: &str = "bench/RESULTS.md";

/// What a figure should be.
#[derive(Clone, Copy)]
pub(super) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::AtMost(most) => figure <= most,
        }
    }
}

/// A line of the table.
pub(super) struct Measured {
    what: String,
    yardstick: Option<String>,
    wahana: String,
    /// What the target is about: a ratio, unless there is no yardstick.
    figure: f64,
    unit: &'static str,
    target: Option<Target>,
}

impl Measured {
    /// Something that wahana does alone.
    pub(super) fn alone(what: &str, figure: f64, unit: &'static str, target: Target) -> Self {
        Self {
            what: what.to_owned(),
            yardstick: None,
            wahana: format!("{figure:.0} {unit}"),
            figure,
            unit,
            target: Some(target),
        }
    }

    /// How many requests are answered in a second.
    pub(super) fn throughput(what: &str, yardstick: &[Outcome], wahana: &[Outcome], target: Target) -> Self {
        let of = |outcomes: &[Outcome]| -> Vec<f64> {
            outcomes
                .iter()
                .map(|outcome| outcome.requests_per_second)
                .collect()
        };
        Self::rates(what, &of(yardstick), &of(wahana), target)
    }

    /// How many of something are done in a second, by the yardstick and by wahana in turn.
    pub(super) fn rates(what: &str, yardstick: &[f64], wahana: &[f64], target: Target) -> Self {
        let (yardstick, wahana) = (median(yardstick.iter().copied()), median(wahana.iter().copied()));
        Self {
            what: what.to_owned(),
            yardstick: Some(format!("{yardstick:.0}/s")),
            wahana: format!("{wahana:.0}/s"),
            figure: wahana / yardstick,
            unit: "",
            target: Some(target),
        }
    }

    /// How long half of the answers take at most.
    pub(super) fn p50(what: &str, yardstick: &[Outcome], wahana: &[Outcome], target: Option<Target>) -> Self {
        let of = |outcomes: &[Outcome]| median(outcomes.iter().map(|outcome| outcome.p50_us)) / 1000.0;
        let (yardstick, wahana) = (of(yardstick), of(wahana));
        Self {
            what: what.to_owned(),
            yardstick: Some(format!("{yardstick:.2} ms")),
            wahana: format!("{wahana:.2} ms"),
            figure: wahana / yardstick,
            unit: "",
            target,
        }
    }

    /// By how many milliseconds wahana takes longer than the yardstick.
    pub(super) fn beyond(what: &str, yardstick: f64, wahana: f64, target: Target) -> Self {
        Self {
            what: what.to_owned(),
            yardstick: Some(format!("{yardstick:.2} ms")),
            wahana: format!("{wahana:.2} ms"),
            figure: wahana - yardstick,
            unit: "ms more",
            target: Some(target),
        }
    }

    fn row(&self) -> String {
        let none = || "–".to_owned();
        let unit = if self.unit.is_empty() {
            String::new()
        } else {
            format!(" {}", self.unit)
        };
        let ratio = self
            .yardstick
            .as_ref()
            .map_or_else(none, |_| format!("{:.2}", self.figure));
        let target = match self.target {
            None => none(),
            Some(Target::AtLeast(least)) => format!("at least {least}{unit}"),
            Some(Target::AtMost(most)) => format!("at most {most}{unit}"),
        };
        let met = match self.target {
            None => "no target",
            Some(target) if target.is_met(self.figure) => "yes",
            Some(_) => "**no**",
        };
        let yardstick = self.yardstick.clone().unwrap_or_else(none);
        format!(
            "| {} | {yardstick} | {} | {ratio} | {target} | {met} |\n",
            self.what, self.wahana
        )
    }
}

/// The table, which is Markdown.
pub(super) fn table(measured: &[Measured]) -> String {
    let mut table =
        String::from("| What | Yardstick | wahana | Ratio | Target | Met |\n|---|---|---|---|---|---|\n");
    for measured in measured {
        table += &measured.row();
    }
    table
}

/// Writes the result down in place of the last one.
pub(super) fn keep(bench: &Bench, measured: &[Measured]) -> anyhow::Result<()> {
    let mut text = String::from("# The last result of `cargo xtask bench`\n\n");
    writeln!(text, "Measured on {}, on {}.\n", today()?, machine()?)?;
    text += &table(measured);
    write!(
        text,
        "\nFigures are medians of {} rounds of {} seconds, in which the two sides of a line were asked in turn. \
         Each server has one worker thread, but for messages and webhooks as many as it starts by itself, like the \
         loops beside it; one thread of wrk asks over {CONNECTIONS} connections with many different tokens. The load \
         generator and the simulated WAHA servers share the cores with what they \
         measure, so absolute figures mean little: compare ratios, and those only roughly.\n\n\
         wahana logs one line a request into a file, as it does by default, and so does nginx; the bare route \
         logs nothing. PostgreSQL runs as for the tests, without flushing to the disk; nothing here waits for \
         its writes. The simulated WAHA servers give answers that waha-sim made once, so that neither side waits \
         for a simulation.\n",
        bench.rounds(),
        bench.round_length().as_secs(),
    )?;
    fs::write(FILE, text).with_context(|| format!("cannot write {FILE}"))?;
    eprintln!("bench: kept in {FILE}");
    Ok(())
}

fn today() -> anyhow::Result<String> {
    said(Command::new("date").args(["-u", "+%Y-%m-%d"]))
}

/// What the machine is, without a word about whose.
fn machine() -> anyhow::Result<String> {
    let cores = thread::available_parallelism()?;
    let memory = fs::read_to_string("/proc/meminfo")?;
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes: u64 = memory
        .and_then(|text| text.trim().strip_suffix("kB"))
        .and_then(|text| text.trim().parse().ok())
        .context("the system does not say how much memory there is")?;
    let kernel = said(Command::new("uname").args(["-s", "-r", "-m"]))?;
    Ok(format!(
        "a machine with {cores} cores and {} GiB of memory ({kernel})",
        kibibytes.div_ceil(1024 * 1024)
    ))
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_target_is_met() {
        let idle = |figure| Measured::alone("Memory", figure, "MB", Target::AtMost(40.0)).row();
        assert_eq!(idle(12.3), "| Memory | – | 12 MB | – | at most 40 MB | yes |\n");
        assert_eq!(
            idle(41.0),
            "| Memory | – | 41 MB | – | at most 40 MB | **no** |\n"
        );
    }
}

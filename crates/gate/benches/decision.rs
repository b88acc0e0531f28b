//! What the decision costs: each step of opening a skops file by a policy, timed by itself.
//!
//! `cargo bench -p nopickle-gate --bench decision -- ROUNDS FILE...` prints one line of JSON for each file, its times in
//! milliseconds: the median over the rounds. `benches/gate.py` calls it and puts the load from Python beside it.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use nopickle_formats::archive::{self, Source};
use nopickle_formats::{Limits, skops};
use nopickle_gate::{Content, Policy, open_skops};

/// What one round took.
struct Round {
    /// The directory of the archive and the graph.
    read: Duration,
    /// The same, the decision on every name, and the headers of the arrays.
    decided: Duration,
    /// Reading the arrays, and the check of every value.
    arrays: Duration,
    /// The check of every value.
    verify: Duration,
}

fn round(path: &str) -> Result<Round, Box<dyn Error>> {
    let start = Instant::now();
    let mut limits = Limits::default();
    let mut archive = archive::open(Source::File(File::open(path)?), &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    let read = start.elapsed();
    drop((graph, archive));

    let start = Instant::now();
    let source = Source::File(File::open(path)?);
    let opened = open_skops(source, None, Policy::default())?;
    let decided = start.elapsed();
    let Content::Skops(content) = opened.content else {
        return Err("not a skops file".into());
    };
    let (mut archive, plan) = *content;

    let start = Instant::now();
    let verified = plan.verify_in_memory(&mut archive)?;
    let arrays = start.elapsed();
    let start = Instant::now();
    verified.verify_again()?;
    let verify = start.elapsed();
    Ok(Round {
        read,
        decided,
        arrays,
        verify,
    })
}

fn median(rounds: &[Round], of: impl Fn(&Round) -> Duration) -> f64 {
    let mut times: Vec<Duration> = rounds.iter().map(of).collect();
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    middle.as_secs_f64() * 1000.0
}

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo adds an argument of its own.
    let mut arguments = std::env::args().skip(1).filter(|word| word != "--bench");
    let count: usize = arguments.next().ok_or("how many rounds?")?.parse()?;
    for path in arguments {
        let rounds = (0..count)
            .map(|_| round(&path))
            .collect::<Result<Vec<_>, _>>()?;
        let line = serde_json::json!({
            "path": path,
            "read": median(&rounds, |round| round.read),
            "trust": median(&rounds, |round| round.decided.saturating_sub(round.read)),
            "arrays": median(&rounds, |round| round.arrays.saturating_sub(round.verify)),
            "verify": median(&rounds, |round| round.verify),
        });
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}

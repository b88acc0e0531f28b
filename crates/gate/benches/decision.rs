//! What the decision costs: each step of opening a skops file by a policy, timed by itself.
//!
//! `cargo bench -p nopickle-gate --bench decision -- ROUNDS FILE...` prints one line of JSON for each file, its times in
//! milliseconds: the median over the rounds, each of which takes the files in turn. `benches/gate.py` calls it and puts the
//! load from Python beside it.

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use nopickle_formats::archive::{self, Source};
use nopickle_formats::skops;
use nopickle_gate::Policy;

/// What one round took.
struct Round {
    /// The directory of the archive and the graph.
    read: Duration,
    /// The decision on every name.
    trust: Duration,
    /// The headers of the arrays.
    headers: Duration,
    /// Reading the arrays, and the check of every value.
    arrays: Duration,
}

fn round(path: &str) -> Result<Round, Box<dyn Error>> {
    let policy = Policy::default();
    let start = Instant::now();
    let mut limits = policy.limits().clone();
    let mut archive = archive::open(Source::File(File::open(path)?), &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    let read = start.elapsed();

    let start = Instant::now();
    let trusted = graph.trust(&policy.to_names())?;
    let trust = start.elapsed();
    let start = Instant::now();
    let plan = trusted.plan(&mut archive, &mut limits)?;
    let headers = start.elapsed();

    let start = Instant::now();
    let verified = plan.verify_in_memory(&mut archive)?;
    let arrays = start.elapsed();
    drop(verified);
    Ok(Round {
        read,
        trust,
        headers,
        arrays,
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
    let paths: Vec<String> = arguments.collect();
    let mut rounds: Vec<Vec<Round>> = paths.iter().map(|_| Vec::new()).collect();
    for _ in 0..count {
        for (path, rounds) in paths.iter().zip(&mut rounds) {
            rounds.push(round(path)?);
        }
    }
    for (path, rounds) in paths.iter().zip(&rounds) {
        let line = serde_json::json!({
            "path": path,
            "read": median(rounds, |round| round.read),
            "trust": median(rounds, |round| round.trust),
            "headers": median(rounds, |round| round.headers),
            "arrays": median(rounds, |round| round.arrays),
        });
        writeln!(std::io::stdout(), "{line}")?;
    }
    Ok(())
}

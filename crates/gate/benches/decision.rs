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
use nopickle_gate::{Policy, Threads, asked};

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

/// A policy that grants every name of a file: `benches/gate.py` brings files whose classes are nobody's.
fn granting(path: &str) -> Result<Policy, Box<dyn Error>> {
    let mut policy = Policy::default();
    let mut limits = policy.limits().clone();
    let mut archive = archive::open(Source::File(File::open(path)?), &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    let names = asked(&graph, &policy).into_iter();
    let unknown: Vec<_> = names.filter(|one| !one.rule.grants()).collect();
    policy.add(unknown.into_iter().map(|one| one.name));
    Ok(policy)
}

/// One round. The arrays are read into `memory`, so that none but the first round of a file asks the system for pages: that
/// takes longer, and varies by more, than the checks take.
fn round(path: &str, policy: &Policy, memory: &mut Vec<u8>) -> Result<Round, Box<dyn Error>> {
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

    let sizes: Vec<usize> = plan.headers().iter().map(|one| one.data_bytes).collect();
    // From 64 bytes to 64, as numpy's own allocator hands out.
    memory.resize(sizes.iter().map(|size| size.next_multiple_of(64)).sum(), 0);
    let mut rest = memory.as_mut_slice();
    let mut buffers = Vec::with_capacity(sizes.len());
    for size in sizes {
        let (mine, others) = rest
            .split_at_mut_checked(size.next_multiple_of(64))
            .ok_or("no memory")?;
        rest = others;
        buffers.push(mine.get_mut(..size).ok_or("no memory")?);
    }

    let start = Instant::now();
    let verified = plan.verify(&mut archive, buffers, &Threads)?;
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
    let mut files = Vec::new();
    for path in arguments {
        let policy = granting(&path)?;
        let mut memory = Vec::new();
        round(&path, &policy, &mut memory)?;
        files.push((path, policy, memory, Vec::new()));
    }
    for _ in 0..count {
        for (path, policy, memory, rounds) in &mut files {
            rounds.push(round(path, policy, memory)?);
        }
    }
    for (path, _, _, rounds) in &files {
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

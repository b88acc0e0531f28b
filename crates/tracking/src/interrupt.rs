//! Whoever waits for a server or a transfer may change their mind.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How often it is asked.
const PERIOD: Duration = Duration::from_millis(100);

static ASK: OnceLock<fn() -> bool> = OnceLock::new();

thread_local! {
    static LAST: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Lets `ask` say, on the thread that works, whether the work should end; only the first one counts.
pub fn ask(ask: fn() -> bool) {
    let _ = ASK.set(ask);
}

/// An error where the work should end.
pub(crate) fn check() -> Result<()> {
    let Some(ask) = ASK.get() else {
        return Ok(());
    };
    let now = Instant::now();
    if LAST
        .get()
        .is_some_and(|last| now.duration_since(last) < PERIOD)
    {
        return Ok(());
    }
    LAST.set(Some(now));
    if ask() {
        Err(Error::state("interrupted"))
    } else {
        Ok(())
    }
}

/// Sleeps, unless the work should end.
pub(crate) async fn sleep(mut left: Duration) -> Result<()> {
    while !left.is_zero() {
        check()?;
        let step = left.min(PERIOD);
        tokio::time::sleep(step).await;
        left -= step;
    }
    Ok(())
}

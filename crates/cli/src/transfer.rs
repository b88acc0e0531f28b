//! How far an upload or a download is, where somebody looks.

use std::io::{self, IsTerminal as _};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nopickle_tracking::progress::Progress;

/// How long a transfer takes before its bar shows.
const PATIENCE: Duration = Duration::from_millis(700);

/// A bar on stderr.
struct Bar {
    bar: ProgressBar,
    started: OnceLock<Instant>,
}

impl Progress for Bar {
    fn start(&self, total: Option<u64>) {
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        let _ = self.started.set(Instant::now());
    }

    fn add(&self, bytes: u64) {
        self.bar.inc(bytes);
        let long = self
            .started
            .get()
            .is_some_and(|started| started.elapsed() > PATIENCE);
        if long && self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for a transfer that takes long; none where stderr is no terminal.
pub fn transfer_bar(words: &str) -> Option<Box<dyn Progress>> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template(
        "{msg} {bar:24} {bytes} of {total_bytes} {bytes_per_sec} {eta}",
    ) {
        bar.set_style(style);
    }
    bar.set_message(words.to_owned());
    Some(Box::new(Bar {
        bar,
        started: OnceLock::new(),
    }))
}

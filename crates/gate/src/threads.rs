//! Threads for what can be read at once.

use std::num::NonZero;
use std::thread;

use nopickle_formats::skops::Parallel;

/// As many threads as the process may use at once (the affinity of the process and the quota of its cgroup count). They have
/// ended when a task has: a process that forks after a load has one thread, as before, which a pool would not leave.
#[derive(Debug, Clone, Copy, Default)]
pub struct Threads;

impl Parallel for Threads {
    fn run(&self, most: usize, task: &(dyn Fn() + Sync)) {
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        thread::scope(|scope| {
            for _ in 1..threads.min(most) {
                let started = thread::Builder::new()
                    .name("nopickle".to_owned())
                    .spawn_scoped(scope, task);
                if started.is_err() {
                    // A system that gives no more threads: those that there are do it.
                    break;
                }
            }
            task();
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;
    use std::thread;

    use nopickle_formats::skops::Parallel as _;

    use super::Threads;

    fn who(most: usize) -> Vec<thread::ThreadId> {
        let seen = Mutex::new(Vec::new());
        Threads.run(most, &|| seen.lock().unwrap().push(thread::current().id()));
        seen.into_inner().unwrap()
    }

    #[test]
    fn a_task_runs_once_on_each_thread_and_on_this_one() {
        for most in [0, 1] {
            assert_eq!(who(most), [thread::current().id()]);
        }
        let may = thread::available_parallelism().unwrap().get();
        let seen = who(3);
        assert_eq!(seen.len(), may.min(3));
        assert!(seen.contains(&thread::current().id()));
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len());
    }
}

//! The bytes of the arrays, on several threads where its caller brings them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::archive::{Archive, Lane, Shared};
use crate::error::Error;
use crate::graph::Stored;
use crate::npy::Header;
use crate::verify::{NativeWalk, Walked};

use super::load::missing;

/// Runs tasks at once. This crate starts no thread: its callers bring one of these.
pub trait Parallel {
    /// Calls `task` on up to `most` threads at once, this one among them, and returns when every call has.
    fn run(&self, most: usize, task: &(dyn Fn() + Sync));

    /// Bytes of arrays that a thread is worth, at least. Two threads read 16 MiB in some 2 ms less than one, and what the
    /// system takes to bring memory to the second varies by as much.
    fn worth(&self) -> usize {
        16 << 20
    }
}

/// One thread, the caller's.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sequential;

impl Parallel for Sequential {
    fn run(&self, _most: usize, task: &(dyn Fn() + Sync)) {
        task();
    }
}

/// One array that is to be read.
pub(super) struct Job<'j> {
    pub(super) stored: Stored,
    pub(super) header: &'j Header,
    /// The bytes of its header, which were read before.
    pub(super) head: &'j [u8],
    /// The memory for its elements.
    pub(super) out: &'j mut [u8],
    /// Of the nodes of a tree: the number of features that its splits may name.
    pub(super) n_features: Option<u64>,
}

impl Job<'_> {
    /// Has `read` fill the memory, with a walk over what it reads where it is nodes of a tree.
    fn fill(
        self,
        read: impl FnOnce(&[u8], &mut [u8], &mut dyn FnMut(&[u8])) -> Result<(), Error>,
    ) -> Result<Option<Walked>, Error> {
        let count = self.n_features;
        let mut walk = count.and_then(|count| NativeWalk::new(self.header, count));
        let mut see = |piece: &[u8]| {
            if let Some(walk) = &mut walk {
                walk.see(piece);
            }
        };
        read(self.head, self.out, &mut see)?;
        Ok(walk.and_then(NativeWalk::end))
    }
}

/// Bytes that a thread takes at once: many small arrays that stand side by side are read with one call.
const BATCH: usize = 1 << 20;

/// Reads every array; what is known of those that are nodes of trees.
///
/// # Errors
/// That of the first array that can't be read, in their order.
pub(super) fn fill(
    archive: &mut Archive<'_>,
    nested: &mut [Archive<'_>],
    jobs: Vec<Job<'_>>,
    parallel: &dyn Parallel,
) -> Result<Vec<Option<Walked>>, Error> {
    let (bytes, largest) = jobs
        .iter()
        .fold((0_usize, parallel.worth()), |(sum, largest), job| {
            let bytes = job.out.len();
            (sum.saturating_add(bytes), largest.max(bytes))
        });
    // While one thread reads the largest array, others would soon have read the rest.
    let most = bytes.checked_div(largest).unwrap_or(0);
    if most < 2 {
        return jobs
            .into_iter()
            .map(|job| fill_one(archive, nested, job))
            .collect();
    }
    let count = jobs.len();
    let filling = Filling {
        archive: archive.shared(),
        nested: nested.iter().map(|archive| archive.shared()).collect(),
        batches: Mutex::new(batches(jobs).into_iter()),
        filled: Mutex::new(vec![None; count]),
        broken: Mutex::new(None),
        stop: AtomicBool::new(false),
    };
    parallel.run(most, &|| filling.work());
    let broken = filling.broken.into_inner();
    if let Some((_, error)) = broken.unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let filled = filling.filled.into_inner();
    Ok(filled.unwrap_or_else(PoisonError::into_inner))
}

fn fill_one(
    archive: &mut Archive<'_>,
    nested: &mut [Archive<'_>],
    job: Job<'_>,
) -> Result<Option<Walked>, Error> {
    match job.stored {
        Stored::Npy(entry) | Stored::Raw(entry) => {
            job.fill(|head, out, see| archive.reader().read_into(entry, head, out, see))
        }
        Stored::Nested(outer, inner) => {
            let archive = nested.get_mut(outer).ok_or_else(missing)?;
            job.fill(|head, out, see| archive.reader().read_into(inner, head, out, see))
        }
        Stored::Memory => Err(missing()),
    }
}

/// Jobs side by side, with the place of the first.
type Batch<'j> = (usize, Vec<Job<'j>>);

fn batches(jobs: Vec<Job<'_>>) -> Vec<Batch<'_>> {
    let mut batches: Vec<Batch<'_>> = Vec::new();
    let mut left = 0_usize;
    for (place, job) in jobs.into_iter().enumerate() {
        let bytes = job.out.len();
        match batches.last_mut() {
            Some((_, batch)) if bytes <= left => batch.push(job),
            _ => {
                left = BATCH;
                batches.push((place, vec![job]));
            }
        }
        left = left.saturating_sub(bytes);
    }
    batches
}

/// What the threads share.
struct Filling<'j> {
    archive: Shared<'j>,
    nested: Vec<Shared<'j>>,
    batches: Mutex<std::vec::IntoIter<Batch<'j>>>,
    filled: Mutex<Vec<Option<Walked>>>,
    /// The error of the array that stands before all others that have one. Batches are taken in their order, and what was
    /// taken is read to its end or its first error, so it is the same each time.
    broken: Mutex<Option<(usize, Error)>>,
    stop: AtomicBool,
}

impl Filling<'_> {
    /// Takes batches until there are none.
    fn work(&self) {
        let mut lane = None;
        while !self.stop.load(Ordering::Relaxed) {
            let batch = lock(&self.batches).next();
            let Some((first, batch)) = batch else {
                return;
            };
            let mut found = Vec::with_capacity(batch.len());
            for (place, job) in (first..).zip(batch) {
                match self.fill(&mut lane, job) {
                    Ok(walked) => found.push(walked),
                    Err(error) => {
                        self.stop.store(true, Ordering::Relaxed);
                        let mut broken = lock(&self.broken);
                        if broken.as_ref().is_none_or(|(before, _)| place < *before) {
                            *broken = Some((place, error));
                        }
                        return;
                    }
                }
            }
            let mut filled = lock(&self.filled);
            for (slot, walked) in filled.iter_mut().skip(first).zip(found) {
                *slot = walked;
            }
        }
    }

    fn fill<'s>(
        &'s self,
        lane: &mut Option<Lane<'s>>,
        job: Job<'_>,
    ) -> Result<Option<Walked>, Error> {
        let (entry, mut inner);
        let lane = match job.stored {
            Stored::Npy(index) | Stored::Raw(index) => {
                entry = index;
                match lane {
                    Some(lane) => lane,
                    None => lane.insert(self.archive.lane()?),
                }
            }
            Stored::Nested(outer, index) => {
                entry = index;
                inner = self.nested.get(outer).ok_or_else(missing)?.lane()?;
                &mut inner
            }
            Stored::Memory => return Err(missing()),
        };
        job.fill(|head, out, see| lane.reader().read_into(entry, head, out, see))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::archive::{Compression, Source, ZipWriter, open};
    use crate::limits::Limits;
    use crate::verify::tree_tests::{FIELDS, record};

    /// Four threads, whatever the machine has.
    #[derive(Default)]
    struct Four(AtomicUsize);

    impl Parallel for Four {
        fn run(&self, most: usize, task: &(dyn Fn() + Sync)) {
            std::thread::scope(|scope| {
                for _ in 0..most.min(4) {
                    self.0.fetch_add(1, Ordering::Relaxed);
                    scope.spawn(task);
                }
            });
        }

        fn worth(&self) -> usize {
            4 << 20
        }
    }

    /// Arrays of many sizes, 12 MiB in all, of which no part is like another.
    fn arrays() -> Vec<Vec<u8>> {
        let sizes = [
            0,
            1,
            300,
            33 << 10,
            600 << 10,
            5 << 20,
            7,
            (1 << 20) + 1,
            5 << 20,
            64,
            900 << 10,
        ];
        let mut state = 1_u64;
        let mut byte = |_| {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            state.to_be_bytes()[0]
        };
        sizes.map(|size| (0..size).map(&mut byte).collect()).into()
    }

    fn zip(arrays: &[Vec<u8>], compression: Compression) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = ZipWriter::new(&mut out, compression);
        for (place, bytes) in arrays.iter().enumerate() {
            writer
                .entry(&format!("{place}.bin"), &[], &[bytes])
                .unwrap();
        }
        writer.finish().unwrap();
        out
    }

    /// A job for each entry, by its place.
    fn raw_jobs<'j>(
        headers: &'j [Header],
        buffers: &'j mut [Vec<u8>],
        n_features: impl Fn(usize) -> Option<u64>,
    ) -> Vec<Job<'j>> {
        let jobs = buffers.iter_mut().zip(headers).enumerate();
        jobs.map(|(place, (out, header))| Job {
            stored: Stored::Raw(place),
            header,
            head: &[],
            out,
            n_features: n_features(place),
        })
        .collect()
    }

    fn read(zip: &[u8], sizes: &[usize], parallel: &dyn Parallel) -> Result<Vec<Vec<u8>>, Error> {
        let mut archive = open(Source::Bytes(zip), &mut Limits::default())?;
        let headers: Vec<Header> = sizes.iter().map(|&size| Header::raw(size)).collect();
        let mut buffers: Vec<Vec<u8>> = sizes.iter().map(|&size| vec![0xAA; size]).collect();
        let jobs = raw_jobs(&headers, &mut buffers, |_| None);
        fill(&mut archive, &mut [], jobs, parallel)?;
        Ok(buffers)
    }

    #[test]
    fn threads_read_what_one_reads() {
        let arrays = arrays();
        let sizes: Vec<usize> = arrays.iter().map(Vec::len).collect();
        for compression in [Compression::Stored, Compression::Deflate(Some(1))] {
            let zip = zip(&arrays, compression);
            let four = Four::default();
            assert!(read(&zip, &sizes, &four).unwrap() == arrays);
            // Twelve MiB, the largest array of which has five.
            assert_eq!(four.0.into_inner(), 2);
            assert!(read(&zip, &sizes, &Sequential).unwrap() == arrays);
        }
    }

    /// A tree of which every split has a leaf on its right, in the order of the depth-first builder.
    fn deep_tree(depth: usize) -> (Header, Vec<u8>) {
        let dtype = record(&FIELDS);
        let leaf = [-1_i64, -1, -2];
        let long = |value: usize| i64::try_from(value).unwrap();
        let last = depth.checked_mul(2).unwrap();
        let split = |(at, right)| [long(at), long(right), 0];
        let splits = (1..=depth).zip((1..=last).rev()).map(split);
        let nodes = splits.chain((0..=depth).map(|_| leaf));
        let mut bytes = Vec::new();
        for node in nodes {
            bytes.extend(node.iter().flat_map(|value| value.to_le_bytes()));
            bytes.extend([0; 40]);
        }
        let header = Header {
            dtype: Arc::new(dtype),
            shape: vec![last.checked_add(1).unwrap()],
            fortran: false,
            data_offset: 0,
            data_bytes: bytes.len(),
        };
        (header, bytes)
    }

    #[test]
    fn what_is_known_of_a_tree_stays_with_its_array() {
        let (headers, arrays): (Vec<_>, Vec<_>) = (0..60)
            .map(|place| match place % 3 {
                0 => (Header::raw(300 << 10), vec![3; 300 << 10]),
                // Of every second one, a split names a feature that is not there.
                _ => deep_tree(100 * place),
            })
            .unzip();
        let zip = zip(&arrays, Compression::Stored);
        let mut archive = open(Source::Bytes(&zip), &mut Limits::default()).unwrap();
        let mut buffers: Vec<Vec<u8>> = arrays.iter().map(|array| vec![0; array.len()]).collect();
        let jobs = raw_jobs(&headers, &mut buffers, |place| {
            (place % 3 != 0).then_some(u64::from(place % 6 < 3))
        });
        let filled = fill(&mut archive, &mut [], jobs, &Four::default()).unwrap();
        let depths: Vec<_> = filled
            .into_iter()
            .map(|walked| walked.map(Walked::deepest))
            .collect();
        let expected = |place: usize| match place % 6 {
            1 | 2 => Some(100 * place),
            _ => None,
        };
        assert_eq!(depths, (0..60).map(expected).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_not_worth_it_starts_no_thread() {
        // Too little for two, and too much in one.
        for sizes in [[4 << 20, 3 << 20], [12 << 20, 11 << 20]] {
            let arrays = sizes.map(|size| vec![7_u8; size]);
            let zip = zip(&arrays, Compression::Stored);
            let four = Four::default();
            assert!(read(&zip, &sizes, &four).unwrap() == arrays);
            assert_eq!(four.0.into_inner(), 0);
        }
    }

    #[test]
    fn the_first_array_that_is_broken_is_named_each_time() {
        let arrays = arrays();
        let sizes: Vec<usize> = arrays.iter().map(Vec::len).collect();
        let mut zip = zip(&arrays, Compression::Stored);
        // The last byte of three of them.
        for place in [5, 8, 10] {
            let last = arrays[place].len() - 64;
            let tail = &arrays[place][last..];
            let at = zip.windows(64).position(|window| window == tail).unwrap();
            zip[at + 63] ^= 1;
        }
        for _ in 0..20 {
            let error = read(&zip, &sizes, &Four::default()).unwrap_err();
            let Error::Malformed { at, what, .. } = error else {
                panic!("{error}");
            };
            assert_eq!(
                (at.entry.as_str(), what),
                ("5.bin", "the checksum is wrong")
            );
        }
    }

    #[test]
    fn batches_hold_every_job_once_in_order() {
        let sizes = [10_usize, BATCH, 10, 20, BATCH - 30, 1, BATCH * 3, 5];
        let headers = sizes.map(Header::raw);
        let mut memory: Vec<Vec<u8>> = sizes.iter().map(|&size| vec![0; size]).collect();
        let batches = batches(raw_jobs(&headers, &mut memory, |_| None));
        let seen: Vec<(usize, Vec<usize>)> = batches
            .iter()
            .map(|(first, batch)| (*first, batch.iter().map(|job| job.out.len()).collect()))
            .collect();
        let expected = [
            (0, vec![10]),
            (1, vec![BATCH]),
            (2, vec![10, 20, BATCH - 30]),
            (5, vec![1]),
            (6, vec![BATCH * 3]),
            (7, vec![5]),
        ];
        assert_eq!(seen, expected);
    }
}

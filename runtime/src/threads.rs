//! The threads that computations share, started once for the process.

use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::thread::JoinHandle;

use rayon::{ThreadBuilder, ThreadPoolBuilder};

/// The environment variable that says how many threads there are to be.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Most threads for each core, and the most that are allowed on any machine. Threads beyond the cores only take turns; a
/// number far above them is a mistake, and each thread takes memory.
const PER_CORE: usize = 4;
const ALWAYS_ALLOWED: usize = 64;

/// Why the threads could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ThreadsError {
    /// The environment asks for a number that makes no sense.
    #[error(
        "{VARIABLE} is `{value}`; it must be a whole number from 1 to {most}, or be left out for one thread per core"
    )]
    Number {
        /// What it says.
        value: String,
        /// The most that is allowed on this machine.
        most: usize,
    },
    /// The pool was started before, or the system refused it.
    #[error("cannot start the threads")]
    Pool(#[from] rayon::ThreadPoolBuildError),
}

/// How many threads were wanted, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// What the environment asks for, or one per core.
    pub wanted: usize,
    /// What the system granted; 1 where there is only the thread that called.
    pub running: usize,
}

/// Starts the threads that all computations of the process share: as many as `RAYON_NUM_THREADS` says, else one per core.
/// Where the system grants fewer, half of what it grants are taken, so that some are left for other uses. Results do not
/// depend on the number.
///
/// # Errors
/// The environment asks for no number, for 0, or for far more threads than there are cores; or threads run already.
pub fn start() -> Result<Started, ThreadsError> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let wanted = wanted(std::env::var_os(VARIABLE), cores)?;
    let waiting = Waiting::spawn(wanted);
    let running = waiting.start()?;
    Ok(Started { wanted, running })
}

fn wanted(value: Option<std::ffi::OsString>, cores: usize) -> Result<usize, ThreadsError> {
    let Some(value) = value else {
        return Ok(cores);
    };
    let value = value.to_string_lossy().into_owned();
    let most = (PER_CORE * cores).max(ALWAYS_ALLOWED);
    match value.trim().parse() {
        Ok(number) if (1..=most).contains(&number) => Ok(number),
        _ => Err(ThreadsError::Number { value, most }),
    }
}

/// Threads that wait to be taken into the pool. A pool must not fail half way, since it can be started only once; so the
/// threads are started first, and the pool gets as many as there are.
struct Waiting {
    threads: Vec<(mpsc::SyncSender<ThreadBuilder>, JoinHandle<()>)>,
    wanted: usize,
}

impl Waiting {
    fn spawn(wanted: usize) -> Self {
        let threads = (0..wanted).map_while(|index| {
            let (sender, receiver) = mpsc::sync_channel::<ThreadBuilder>(1);
            let thread = std::thread::Builder::new().name(format!("compute {index}"));
            let wait = move || {
                // Nothing comes where the thread is not taken.
                if let Ok(pool) = receiver.recv() {
                    pool.run();
                }
            };
            thread.spawn(wait).ok().map(|handle| (sender, handle))
        });
        Self {
            threads: threads.collect(),
            wanted,
        }
    }

    /// Starts the pool on them.
    fn start(mut self) -> Result<usize, ThreadsError> {
        let granted = self.threads.len();
        if granted < self.wanted {
            for (sender, handle) in self.threads.split_off(granted / 2) {
                drop(sender);
                // Their memory is to be free again before others ask for it. They cannot panic.
                let _ = handle.join();
            }
        }
        let count = self.threads.len();
        if count == 0 {
            let alone = ThreadPoolBuilder::new().num_threads(1).use_current_thread();
            alone.build_global()?;
            return Ok(1);
        }
        ThreadPoolBuilder::new()
            .num_threads(count)
            .spawn_handler(|thread| {
                let (sender, _) = self.threads.pop().ok_or_else(ended)?;
                sender.send(thread).map_err(|_| ended())
            })
            .build_global()?;
        Ok(count)
    }
}

fn ended() -> std::io::Error {
    std::io::Error::other("a thread of the pool ended early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_threads_is_bounded() {
        let of = |value: Option<&str>, cores| wanted(value.map(Into::into), cores).ok();
        assert_eq!(of(None, 3), Some(3));
        assert_eq!(of(Some("7"), 3), Some(7));
        assert_eq!(of(Some("64"), 1), Some(64));
        assert_eq!(of(Some("65"), 1), None);
        assert_eq!(of(Some("400"), 100), Some(400));
        for nonsense in ["0", "", "-1", "two", "100000", "99999999999999999999999"] {
            assert_eq!(of(Some(nonsense), 2), None, "{nonsense}");
        }
    }
}

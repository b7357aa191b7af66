//! Training: the loop, its measures, and the folder it leaves behind.

pub mod blame;
pub mod checkpoint;
pub mod folder;
pub mod folder_error;
pub mod identity;
pub mod interrupt;
pub mod lock;
pub mod log;
pub mod metrics;
pub mod network;
pub mod progress;
pub mod run_loop;
pub mod samples;
pub mod saved;
pub mod session;
pub mod standing;
pub mod start;

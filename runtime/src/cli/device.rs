//! The device of a command.

use std::convert::Infallible;

use super::Failure;
use crate::cpu::CpuExecutor;
use crate::executor::{DeviceInfo, Executor};
use crate::gpu::{DeviceChoice, GpuExecutor, select};

/// Opens what `--device` asks for.
///
/// # Errors
/// No adapter fits, or it cannot be opened.
pub fn open(request: &str) -> Result<Box<dyn Executor>, Failure> {
    let choice: DeviceChoice = request
        .parse()
        .unwrap_or_else(|never: Infallible| match never {});
    Ok(match select(&choice)? {
        Some(device) => Box::new(GpuExecutor::new(device)),
        None => Box::new(CpuExecutor::<f32>::new()),
    })
}

/// The device in words: `cpu, AMD EPYC 7B13 (avx2+fma), 2 threads`.
pub fn words(device: &DeviceInfo) -> String {
    let threads = device
        .threads
        .map(|n| format!(", {n} thread{}", if n == 1 { "" } else { "s" }));
    let driver = if device.driver.is_empty() {
        String::new()
    } else {
        format!(" ({})", device.driver)
    };
    format!(
        "{}, {}{driver}{}",
        device.kind,
        device.name,
        threads.unwrap_or_default()
    )
}

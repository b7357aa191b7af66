//! The device that computes.

use std::convert::Infallible;

use crate::cpu::CpuExecutor;
use crate::error::Error;
use crate::executor::{DeviceInfo, Executor};
use crate::gpu::{DeviceChoice, GpuExecutor, select};

/// An open device.
pub struct Device {
    /// What was asked for.
    pub request: String,
    /// What computes.
    pub executor: Box<dyn Executor>,
}

impl Device {
    /// Opens `auto` (a GPU if there is one, else the CPU), `cpu`, `gpu`, or the adapter with this number or with this
    /// in its name.
    ///
    /// # Errors
    /// No adapter fits, or it cannot be opened.
    pub fn open(request: &str) -> Result<Device, Error> {
        let choice: DeviceChoice = request
            .parse()
            .unwrap_or_else(|never: Infallible| match never {});
        let executor: Box<dyn Executor> = match select(&choice)? {
            Some(device) => Box::new(GpuExecutor::new(device)),
            None => Box::new(CpuExecutor::<f32>::new()),
        };
        Ok(Device {
            request: request.to_owned(),
            executor,
        })
    }

    /// What it is.
    pub fn info(&self) -> &DeviceInfo {
        self.executor.device()
    }
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

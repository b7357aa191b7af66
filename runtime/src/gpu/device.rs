//! Adapters: lists them, chooses one, and reports its errors.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::Serialize;

use crate::executor::{DeviceInfo, ExecutorError};

/// What `--device` asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A hardware GPU if there is one, otherwise the CPU.
    #[default]
    Auto,
    /// The native CPU executor.
    Cpu,
    /// Any adapter; hardware before software.
    Gpu,
    /// The adapter with this number in [`adapters`].
    Index(usize),
    /// The first adapter whose name contains this text, without regard to case.
    Name(String),
}

impl FromStr for DeviceChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "cpu" => Self::Cpu,
            "gpu" => Self::Gpu,
            other => other
                .parse()
                .map_or_else(|_| Self::Name(other.to_owned()), Self::Index),
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu => f.write_str("gpu"),
            Self::Index(at) => write!(f, "{at}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// An adapter as `hqcc devices` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdapterSummary {
    /// Its number, which `--device` takes.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// `discrete GPU`, `integrated GPU`, `virtual GPU`, `software` or `other`.
    pub kind: &'static str,
    /// Driver and its version.
    pub driver: String,
    /// Whether it computes on the CPU.
    pub software: bool,
    /// The largest buffer that a kernel can bind, in bytes.
    pub max_binding: u64,
    /// The largest buffer, in bytes.
    pub max_buffer: u64,
    /// Workgroup memory, in bytes.
    pub workgroup_memory: u32,
}

impl fmt::Display for AdapterSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} ({}, {}, {})",
            self.index, self.name, self.kind, self.backend, self.driver
        )
    }
}

impl AdapterSummary {
    fn of(index: usize, adapter: &wgpu::Adapter) -> Self {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let kind = match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete GPU",
            wgpu::DeviceType::IntegratedGpu => "integrated GPU",
            wgpu::DeviceType::VirtualGpu => "virtual GPU",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        };
        Self {
            index,
            name: info.name,
            backend: info.backend.to_string(),
            kind,
            driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
            software: info.device_type == wgpu::DeviceType::Cpu,
            max_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
        }
    }

    /// Lower is better: discrete before integrated before virtual before unknown before software.
    fn rank(&self) -> u8 {
        match self.kind {
            "discrete GPU" => 0,
            "integrated GPU" => 1,
            "virtual GPU" => 2,
            "other" => 3,
            _ => 4,
        }
    }
}

/// The connection to the drivers, made once: each one costs time, and some drivers greet on standard error.
static INSTANCE: LazyLock<wgpu::Instance> = LazyLock::new(|| {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::PRIMARY,
        // A driver that runs out of memory is not always an orderly failure, so the last part is left alone.
        memory_budget_thresholds: wgpu::MemoryBudgetThresholds {
            for_resource_creation: Some(97),
            for_device_loss: None,
        },
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
});

fn enumerate() -> Vec<(AdapterSummary, wgpu::Adapter)> {
    let found = pollster::block_on(INSTANCE.enumerate_adapters(wgpu::Backends::PRIMARY));
    found
        .into_iter()
        .enumerate()
        .map(|(at, adapter)| (AdapterSummary::of(at, &adapter), adapter))
        .collect()
}

/// All adapters of this machine.
pub fn adapters() -> Vec<AdapterSummary> {
    enumerate()
        .into_iter()
        .map(|(summary, _)| summary)
        .collect()
}

/// Opens the adapter that was asked for; `None` means the CPU executor.
///
/// # Errors
/// No adapter fits, or it cannot be opened.
pub fn select(choice: &DeviceChoice) -> Result<Option<GpuDevice>, ExecutorError> {
    if *choice == DeviceChoice::Cpu {
        return Ok(None);
    }
    let mut found = enumerate();
    let listed: Vec<_> = found
        .iter()
        .map(|(summary, _)| summary.to_string())
        .collect();
    let fits = |summary: &AdapterSummary| match choice {
        DeviceChoice::Auto => !summary.software,
        DeviceChoice::Cpu => false,
        DeviceChoice::Gpu => true,
        DeviceChoice::Index(at) => summary.index == *at,
        DeviceChoice::Name(name) => summary.name.to_lowercase().contains(&name.to_lowercase()),
    };
    found.retain(|(summary, _)| fits(summary));
    found.sort_by_key(|(summary, _)| summary.rank());
    match found.into_iter().next() {
        Some((summary, adapter)) => GpuDevice::open(summary, &adapter).map(Some),
        None if *choice == DeviceChoice::Auto => Ok(None),
        None => Err(ExecutorError::Device {
            message: no_adapter(choice, &listed),
        }),
    }
}

fn no_adapter(choice: &DeviceChoice, listed: &[String]) -> String {
    let there_is = match listed {
        [] => "this machine has no Vulkan, Metal or DX12 adapter".to_owned(),
        some => format!("there is {}", some.join("; ")),
    };
    format!("no adapter fits `--device {choice}`: {there_is}; `--device cpu` needs none")
}

/// An open adapter.
pub struct GpuDevice {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) limits: wgpu::Limits,
    summary: AdapterSummary,
    faults: Arc<Mutex<Faults>>,
}

/// What the driver reported outside of any call that could return it.
#[derive(Default)]
struct Faults {
    lost: Option<String>,
    error: Option<String>,
}

impl GpuDevice {
    fn open(summary: AdapterSummary, adapter: &wgpu::Adapter) -> Result<Self, ExecutorError> {
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("hqcc"),
            // All that the adapter has: the defaults bind at most 128 MiB.
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| {
                ExecutorError::Device {
                    message: format!("cannot open {summary}: {error}"),
                }
            })?;
        let faults = Arc::new(Mutex::new(Faults::default()));
        let on_loss = Arc::clone(&faults);
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                on_loss.lock().unwrap_or_else(PoisonError::into_inner).lost = Some(message);
            }
        });
        let on_error = Arc::clone(&faults);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let mut faults = on_error.lock().unwrap_or_else(PoisonError::into_inner);
            faults.error.get_or_insert_with(|| error.to_string());
        }));
        let limits = device.limits();
        Ok(Self {
            device,
            queue,
            limits,
            summary,
            faults,
        })
    }

    /// What the adapter is.
    pub fn summary(&self) -> &AdapterSummary {
        &self.summary
    }

    /// The device as reports name it.
    pub fn info(&self) -> DeviceInfo {
        DeviceInfo {
            kind: "gpu",
            name: format!("{} ({})", self.summary.name, self.summary.backend),
            driver: self.summary.driver.clone(),
            threads: None,
        }
    }

    /// The name in error messages.
    pub(super) fn name(&self) -> String {
        format!("{} ({})", self.summary.name, self.summary.backend)
    }

    /// Reports what the driver said since the last call; `node` and `kernel` say what was under way.
    pub(super) fn check(&self, node: &str, kernel: &str) -> Result<(), ExecutorError> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = &faults.lost {
            return Err(ExecutorError::Lost {
                device: self.name(),
                message: message.clone(),
            });
        }
        match faults.error.take() {
            Some(message) => Err(self.fault(node, kernel, message)),
            None => Ok(()),
        }
    }

    /// An error that names node, kernel and adapter.
    pub(super) fn fault(&self, node: &str, kernel: &str, message: String) -> ExecutorError {
        ExecutorError::Kernel {
            device: self.name(),
            kernel: kernel.to_owned(),
            node: node.to_owned(),
            message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_and_written() {
        for (text, choice) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("gpu", DeviceChoice::Gpu),
            ("1", DeviceChoice::Index(1)),
            ("llvmpipe", DeviceChoice::Name("llvmpipe".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(choice.clone()));
            assert_eq!(choice.to_string(), text);
        }
    }

    #[test]
    fn the_error_lists_what_there_is() {
        let message = no_adapter(&DeviceChoice::Gpu, &[]);
        assert!(
            message.contains("--device gpu") && message.contains("no Vulkan"),
            "{message}"
        );
    }
}

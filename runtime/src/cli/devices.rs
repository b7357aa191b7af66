//! `hqcc devices`.

use clap::Args;
use serde_json::json;

use super::Failure;
use super::args::{MessageArgs, print};
use super::messages::MessageFormat;
use crate::cpu::CpuExecutor;
use crate::device;
use crate::executor::Executor;
use crate::gpu::{DeviceChoice, adapters, select};
use crate::report::table::{Align, Table, bytes};

/// List what can compute here, and what `--device auto` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc devices\n  \
    hqcc run first.hqc --device 0         the adapter with this number\n  \
    hqcc run first.hqc --device radeon    the first whose name contains this")]
pub struct Devices {
    #[command(flatten)]
    messages: MessageArgs,
}

impl Devices {
    /// Prints the table.
    pub fn run(self) -> Result<(), Failure> {
        let adapters = adapters();
        let cpu = CpuExecutor::<f32>::new();
        let auto = match select(&DeviceChoice::Auto)? {
            Some(device) => device::words(&device.info()),
            None => device::words(cpu.device()),
        };
        if self.messages.message_format == MessageFormat::Json {
            return print(&format!(
                "{}\n",
                json!({ "adapters": adapters, "cpu": cpu.device(), "auto": auto })
            ));
        }
        let words = ["device", "name", "kind", "backend", "driver"].map(|name| (name, Align::Left));
        let sizes = ["largest buffer", "workgroup memory"].map(|name| (name, Align::Right));
        let mut table = Table::new(words.into_iter().chain(sizes));
        for a in &adapters {
            table.row([
                a.index.to_string(),
                a.name.clone(),
                a.kind.to_owned(),
                a.backend.clone(),
                a.driver.clone(),
                bytes(a.max_binding),
                bytes(u64::from(a.workgroup_memory)),
            ]);
        }
        let info = cpu.device();
        let threads = format!("{} threads", info.threads.unwrap_or(1));
        table.row([
            "cpu".into(),
            info.name.clone(),
            threads,
            "native".into(),
            info.driver.clone(),
        ]);
        print(&format!("{table}\n`--device auto` takes {auto}\n"))
    }
}

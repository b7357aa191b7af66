//! The networks of `models/`: against their originals, their counts, and that they train.

mod counts;
mod joined;
mod parity;
mod reference;
mod replay;
mod training;

use hqcc::gpu::{DeviceChoice, GpuExecutor, select};

/// An executor on any adapter, or `None` with a note when there is none.
fn gpu() -> Option<GpuExecutor> {
    match select(&DeviceChoice::Gpu) {
        Ok(device) => device.map(GpuExecutor::new),
        Err(error) => {
            let required = std::env::var("HQCC_REQUIRE_GPU").is_ok_and(|v| v == "1");
            assert!(!required, "{error}");
            hqcc_tests::skip(error);
            None
        }
    }
}

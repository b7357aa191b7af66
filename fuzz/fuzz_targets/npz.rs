//! Any bytes as a NumPy archive, and any bytes as an array in one, end in tensors or in an error.

#![no_main]

#[path = "weights/tensor.rs"]
mod tensor;
mod weights;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&form, data)) = data.split_first() else {
        return;
    };
    match form % 3 {
        0 => weights::read(data),
        form => weights::read(&weights::zipped(&[("a.npy", data)], form == 1)),
    }
});

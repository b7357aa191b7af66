//! Any bytes as a safetensors file, and any text as the header of one, end in tensors or in an error.

#![no_main]

#[path = "weights/tensor.rs"]
mod tensor;
mod weights;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&values, data)) = data.split_first() else {
        return;
    };
    if values == 0 {
        return weights::read(data);
    }
    let mut bytes = (data.len() as u64).to_le_bytes().to_vec();
    bytes.extend(data);
    bytes.resize(bytes.len() + usize::from(values) - 1, 1);
    weights::read(&bytes);
});

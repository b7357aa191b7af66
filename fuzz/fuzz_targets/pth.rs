//! Any bytes as a PyTorch file, and any bytes as the pickle in one, end in tensors or in an error.

#![no_main]

#[path = "weights/tensor.rs"]
mod tensor;
mod weights;

use libfuzzer_sys::fuzz_target;

/// What stands before the object in the stream form.
const HEAD: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00X\x0d\x00\x00\x00little_endianq\x01\x88s.";

fuzz_target!(|data: &[u8]| {
    let Some((&form, data)) = data.split_first() else {
        return;
    };
    match form % 3 {
        0 => weights::read(data),
        1 => {
            let values: &[u8] = &[1; 64];
            let entries = [("a/data.pkl", data), ("a/data/0", values), ("a/data/1", &values[..8])];
            weights::read(&weights::zipped(&entries, form > 128));
        }
        _ => {
            let mut bytes = HEAD.to_vec();
            bytes.extend(data);
            bytes.extend(b"\x80\x02]U\x010a.\x10\x00\x00\x00\x00\x00\x00\x00");
            bytes.extend([1; 64]);
            weights::read(&bytes);
        }
    }
});

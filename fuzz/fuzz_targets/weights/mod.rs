//! The readers of weights, taken by file from the runtime: with all of it a build for the fuzzer would take in the GPU.

#![allow(dead_code, reason = "a target uses a part of them")]

#[path = "../../../runtime/src/weights/element.rs"]
pub mod element;
#[path = "../../../runtime/src/weights/file.rs"]
pub mod file;
#[path = "../../../runtime/src/weights/npz.rs"]
mod npz;
#[path = "../../../runtime/src/weights/pickle.rs"]
mod pickle;
#[path = "../../../runtime/src/weights/safetensor.rs"]
mod safetensor;
#[path = "../../../runtime/src/weights/torch.rs"]
mod torch;

const METADATA_KEY: &str = "hqcc";

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Opens bytes and reads every tensor that is not absurdly large.
pub fn read(bytes: &[u8]) {
    let Ok(mut file) = file::TensorFile::new(Cursor::new(bytes)) else {
        return;
    };
    let mut left = 1usize << 22;
    for index in 0..file.tensors.len() {
        let shape = &file.tensors[index].shape;
        let count: usize = shape.iter().product();
        if count > left {
            break;
        }
        left -= count;
        if let Ok(tensor) = file.read(index) {
            assert_eq!(tensor.data().len(), count);
        }
    }
}

/// A zip file of these entries.
pub fn zipped(entries: &[(&str, &[u8])], packed: bool) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let method = match packed {
        true => CompressionMethod::Deflated,
        false => CompressionMethod::Stored,
    };
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in entries {
        writer.start_file(*name, options).expect("an entry");
        writer.write_all(bytes).expect("its bytes");
    }
    writer.finish().expect("a zip file").into_inner()
}

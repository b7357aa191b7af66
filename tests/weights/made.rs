//! Files of weights put together byte by byte.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use hqcc::weights::{FileError, TensorFile};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A file of `tests/fixtures/weights`.
pub fn fixture(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/weights");
    folder.join(name)
}

/// Opens bytes as a file of weights and reads all of its values.
pub fn read_all(bytes: &[u8]) -> Result<Vec<(String, Vec<f32>)>, FileError> {
    let mut file = TensorFile::new(Cursor::new(bytes))?;
    let mut found = Vec::new();
    for index in 0..file.tensors.len() {
        let values = file.read(index)?;
        found.push((file.tensors[index].name.clone(), values.into_data()));
    }
    Ok(found)
}

/// What is said about bytes that are refused.
pub fn refusal(bytes: &[u8]) -> String {
    match read_all(bytes) {
        Err(error) => error.to_string(),
        Ok(found) => panic!("this was read: {:?}", found.first()),
    }
}

/// A zip file of these entries.
pub fn zipped(entries: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in entries {
        writer.start_file(*name, options).expect("an entry");
        writer.write_all(bytes).expect("its bytes");
    }
    writer.finish().expect("a zip file").into_inner()
}

/// A PyTorch zip file with this pickle and one storage, `0`.
pub fn torch_zip(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    let entries = [
        ("archive/data.pkl", pickle),
        ("archive/data/0", storage),
        ("archive/version", b"3\n"),
    ];
    zipped(&entries, CompressionMethod::Stored)
}

/// A PyTorch stream with this pickle and one storage, `0`, of `f32`.
pub fn torch_stream(pickle: &[u8], storage: &[f32]) -> Vec<u8> {
    let mut bytes = vec![
        0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
    ];
    bytes.extend(b"\x80\x02M\xe9\x03.");
    bytes.extend(b"\x80\x02}q\x00X\x0d\x00\x00\x00little_endianq\x01\x88s.");
    bytes.extend(pickle);
    bytes.extend(b"\x80\x02]q\x00U\x010a.");
    bytes.extend((storage.len() as u64).to_le_bytes());
    bytes.extend(storage.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// The pickle `{"w": tensor}` with a tensor of `f32` in storage `0` of `count` elements; `parts` are the pickles of offset, shape and strides.
pub fn one_tensor(count: i32, parts: [&[u8]; 3], view: &[u8]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuJ".to_vec();
    pickle.extend(count.to_le_bytes());
    pickle.extend(view);
    pickle.extend(b"tQ");
    for part in parts {
        pickle.extend(part);
    }
    pickle.extend(b"\x89}tRs.");
    pickle
}

/// A `.npy` file of version 1 with this header.
pub fn npy(header: &str, values: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

/// An `.npz` of one array `a`.
pub fn npz(header: &str, values: &[u8]) -> Vec<u8> {
    zipped(
        &[("a.npy", &npy(header, values))],
        CompressionMethod::Deflated,
    )
}

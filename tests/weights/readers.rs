//! Files that PyTorch and NumPy wrote give the values that were saved.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;

use hqcc::weights::{Container, TensorFile};
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;

use crate::made::{
    fixture, npy, npz, one_tensor, read_all, refusal, torch_stream, torch_zip, zipped,
};

#[derive(Deserialize)]
struct Expected {
    torch: BTreeMap<String, Values>,
    numpy: BTreeMap<String, Values>,
}

#[derive(Deserialize)]
struct Values {
    shape: Vec<usize>,
    values: Vec<f64>,
}

fn expected() -> Expected {
    let text = fs::read_to_string(fixture("expected.json")).expect("a fixture");
    serde_json::from_str(&text).expect("values")
}

/// Reads a fixture and holds every tensor in it against what was saved, `prefix` taken off its name.
fn compare(name: &str, container: Container, prefix: &str, expected: &BTreeMap<String, Values>) {
    let mut file = TensorFile::open(&fixture(name)).expect(name);
    assert_eq!(file.container, container);
    assert_eq!(file.tensors.len(), expected.len(), "{name}");
    for index in 0..file.tensors.len() {
        let tensor = file.read(index).expect(name);
        let stored = &file.tensors[index];
        let known = stored
            .name
            .strip_prefix(prefix)
            .and_then(|name| expected.get(name));
        let known = known.unwrap_or_else(|| panic!("{name} has no `{}`", stored.name));
        assert_eq!(tensor.shape(), known.shape, "`{}` of {name}", stored.name);
        let values: Vec<f32> = known.values.iter().map(|value| *value as f32).collect();
        assert_eq!(tensor.data(), values, "`{}` of {name}", stored.name);
    }
}

#[test]
fn state_dicts_of_pytorch() {
    let expected = expected().torch;
    compare("state.pth", Container::TorchZip, "", &expected);
    compare("state_old.pth", Container::TorchStream, "", &expected);
    compare("wrapped.pth", Container::TorchZip, "module.", &expected);
    compare(
        "wrapped_old.pth",
        Container::TorchStream,
        "module.",
        &expected,
    );
}

#[test]
fn what_is_no_tensor_is_listed() {
    for name in ["wrapped.pth", "wrapped_old.pth"] {
        let file = TensorFile::open(&fixture(name)).expect(name);
        let skipped: Vec<_> = file
            .skipped
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        assert_eq!(
            skipped,
            ["epoch", "lr", "optimizer", "mask_values", "note", "big"]
        );
    }
    let file = TensorFile::open(&fixture("arrays.npz")).expect("arrays");
    assert_eq!(file.skipped[0].name, "objects");
    assert!(file.skipped[0].what.contains("Python objects"));
}

#[test]
fn archives_of_numpy() {
    let expected = expected().numpy;
    compare("arrays.npz", Container::Npz, "", &expected);
    compare("arrays_packed.npz", Container::Npz, "", &expected);
}

#[test]
fn safetensors_of_every_type() {
    let halves = [0x3c00u16, 0xc000].map(u16::to_le_bytes).concat();
    let brain = [0x3f80u16, 0xc000].map(u16::to_le_bytes).concat();
    let doubles = [1.0f64, -2.0].map(f64::to_le_bytes).concat();
    let longs = [1i64, -2].map(i64::to_le_bytes).concat();
    let floats = [1.0f32, -2.0].map(f32::to_le_bytes).concat();
    let view = |dtype, bytes| TensorView::new(dtype, vec![2], bytes).expect("a tensor");
    let tensors = [
        ("bf16", view(Dtype::BF16, &brain)),
        ("f16", view(Dtype::F16, &halves)),
        ("f32", view(Dtype::F32, &floats)),
        ("f64", view(Dtype::F64, &doubles)),
        ("i64", view(Dtype::I64, &longs)),
    ];
    let bytes = safetensors::serialize(tensors, None).expect("a file");
    let found = read_all(&bytes).expect("its tensors");
    assert_eq!(found.len(), 5);
    assert!(
        found.iter().all(|(_, values)| values == &[1.0, -2.0]),
        "{found:?}"
    );
    let odd = safetensors::serialize([("f8", view(Dtype::F8_E4M3, &[1, 2]))], None);
    let file = TensorFile::new(Cursor::new(odd.expect("a file"))).expect("a header");
    assert!(file.tensors.is_empty() && file.skipped[0].what.contains("F8_E4M3"));
}

#[test]
fn what_python_2_and_old_pytorch_wrote() {
    // OrderedDict([["w", _rebuild_tensor(storage, 0, (2,), (1,))]])
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\nq\x00]q\x01]q\x02(U\x01wctorch._utils\n_rebuild_tensor\n".to_vec();
    pickle.extend(b"((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x03NtQK\x01K\x02\x85K\x01\x85tRea\x85R.");
    let found = read_all(&torch_stream(&pickle, &[5.0, 6.0, 7.0])).expect("its tensors");
    assert_eq!(found, [("w".to_owned(), vec![6.0, 7.0])]);
}

#[test]
fn a_part_of_a_storage_is_found() {
    // The storage that is meant begins at element 1 of storage 0 and has 2.
    let view = b"U\x011K\x01K\x02\x87";
    let parts: [&[u8]; 3] = [b"K\x01", b"K\x01\x85", b"K\x01\x85"];
    let pickle = one_tensor(4, parts, view);
    let found = read_all(&torch_stream(&pickle, &[5.0, 6.0, 7.0, 8.0])).expect("its tensors");
    assert_eq!(found[0].1, [7.0]);
}

#[test]
fn other_files_are_refused_with_advice() {
    let said = |name: &str| refusal(&fs::read(fixture(name)).expect(name));
    let model = said("model.pth");
    assert!(
        model.contains("`torch.nn.modules.linear.Linear`"),
        "{model}"
    );
    assert!(model.contains("state_dict()"), "{model}");
    let script = said("script.pt");
    assert!(script.contains("TorchScript"), "{script}");
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    assert!(refusal(&tar).contains("tar file"));
    assert!(refusal(b"\x1f\x8b\x08").contains("gzip"));
    assert!(refusal(b"").contains("empty"));
    assert!(refusal(b"\x89HDF\r\n").contains("HDF5"));
    assert!(refusal(b"hello, world").contains("neither"));
    assert!(refusal(b"\x80\x04\x95").contains("torch.save"));
    assert!(refusal(&npy("{}", b"")).contains("numpy.savez"));
    let text = zipped(&[("a.txt", b"x")], zip::CompressionMethod::Stored);
    assert!(refusal(&text).contains("neither a PyTorch"));
    let big = npz(
        "{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}",
        &[0; 4],
    );
    assert!(refusal(&big).contains("big-endian"));
    let number = torch_zip(b"\x80\x02K\x01.", b"");
    assert!(refusal(&number).contains("holds a number"));
    let nothing = torch_zip(b"\x80\x02}U\x05epochK\x01s.", b"");
    assert!(refusal(&nothing).contains("`epoch`"));
    assert!(TensorFile::open(&fixture(".")).is_err());
}

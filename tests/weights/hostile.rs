//! Files that lie, are cut short, or were made to do harm end in errors, with memory and time within bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Cursor;

use hqcc::weights::TensorFile;
use hqcc::weights::import::{Wanted, import};
use hqcc_compiler::names::NameMap;
use safetensors::tensor::{Dtype, TensorView};
use zip::CompressionMethod;

use crate::made::{
    fixture, npy, npz, one_tensor, read_all, refusal, torch_stream, torch_zip, zipped,
};

fn small_safetensors() -> Vec<u8> {
    let view = TensorView::new(Dtype::F32, vec![2], &[0; 8]).expect("a tensor");
    safetensors::serialize([("a", view)], None).expect("a file")
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let names = [
        "state.pth",
        "state_old.pth",
        "wrapped_old.pth",
        "arrays.npz",
        "arrays_packed.npz",
    ];
    let read = |name: &str| (name.to_owned(), fs::read(fixture(name)).expect(name));
    let mut samples: Vec<_> = names.into_iter().map(read).collect();
    samples.push(("a.safetensors".to_owned(), small_safetensors()));
    samples
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    for (name, bytes) in samples() {
        for length in 0..bytes.len() {
            assert!(
                read_all(&bytes[..length]).is_err(),
                "{name} of {length} bytes"
            );
        }
    }
}

#[test]
fn a_changed_byte_never_ends_in_a_panic() {
    for (_, bytes) in samples() {
        for at in 0..bytes.len() {
            for flip in [0xff, 0x01, 0x80] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                // Values may change unseen where a container has no checksum.
                let _ = read_all(&changed);
            }
        }
    }
}

#[test]
fn paths_outside_the_archive_are_refused() {
    for name in [
        "../a.npy",
        "/a.npy",
        "x/../../a.npy",
        "x/../a.npy",
        "x\\..\\a.npy",
    ] {
        let array = npy(
            "{'descr': '<f4', 'fortran_order': False, 'shape': ()}",
            &[0; 4],
        );
        let bytes = zipped(&[(name, &array)], CompressionMethod::Stored);
        // The writer of the zip file may have cleaned the name.
        let kept = bytes
            .windows(name.len())
            .any(|window| window == name.as_bytes());
        assert!(kept, "{name}");
        assert!(refusal(&bytes).contains("outside"), "{name}");
    }
}

#[test]
fn names_that_python_would_call_are_refused() {
    for (module, name) in [
        ("os", "system"),
        ("builtins", "exec"),
        ("torch", "Tensor"),
        ("numpy", "ndarray"),
    ] {
        let mut pickle = format!("\u{2}c{module}\n{name}\n(U\u{4}truetR.").into_bytes();
        pickle.insert(0, 0x80);
        for bytes in [torch_zip(&pickle, b""), torch_stream(&pickle, &[])] {
            let said = refusal(&bytes);
            assert!(said.contains(&format!("`{module}.{name}`")), "{said}");
        }
    }
}

#[test]
fn deep_and_circular_pickles_end() {
    let deep = |open: &[u8], close: &[u8]| {
        let mut pickle = b"\x80\x02".to_vec();
        pickle.extend(open.repeat(200_000));
        pickle.extend(close.repeat(200_000));
        pickle.push(b'.');
        pickle
    };
    for pickle in [
        deep(b"(", b"t"),
        deep(b"]", b"a"),
        deep(b")", b"\x85"),
        deep(b"(", b""),
        deep(b"}U\x01x", b"s"),
        // A state dict in a state dict in itself.
        b"\x80\x02}q\x00U\x0astate_dicth\x00s.".to_vec(),
        b"\x80\x02]q\x00h\x00a.".to_vec(),
    ] {
        let said = refusal(&torch_zip(&pickle, b""));
        assert!(!said.is_empty());
    }
    // Many copies of a long list would fill the memory.
    let mut bomb = b"\x80\x02ccollections\nOrderedDict\nq\x00](".to_vec();
    bomb.extend(b"K\x01K\x01\x86".repeat(100_000));
    bomb.extend(b"e\x85q\x01");
    bomb.extend(b"0h\x00h\x01R".repeat(100_000));
    bomb.push(b'.');
    assert!(refusal(&torch_zip(&bomb, b"")).contains("too many entries"));
}

#[test]
fn sizes_that_lie_are_refused() {
    let none: &[u8] = b"K\x00";
    let two: &[u8] = b"K\x02\x85";
    let one: &[u8] = b"K\x01\x85";
    let storage = [0u8; 8];
    let good = one_tensor(2, [none, two, one], b"");
    assert!(read_all(&torch_zip(&good, &storage)).is_ok());
    let huge: &[u8] = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85";
    for (what, pickle) in [
        (
            "more elements than the storage",
            one_tensor(3, [none, two, one], b""),
        ),
        ("a negative count", one_tensor(-2, [none, two, one], b"")),
        (
            "an offset behind the end",
            one_tensor(2, [b"K\x01", two, one], b""),
        ),
        ("a huge offset", one_tensor(2, [&huge[..10], two, one], b"")),
        (
            "a stride that leaves it",
            one_tensor(2, [none, two, b"K\x02\x85"], b""),
        ),
        (
            "a negative stride",
            one_tensor(2, [none, two, b"J\xff\xff\xff\xff\x85"], b""),
        ),
        ("a huge stride", one_tensor(2, [none, two, huge], b"")),
        (
            "a huge shape",
            one_tensor(2, [none, huge, b"K\x00\x85"], b""),
        ),
        (
            "more values than it is worth",
            one_tensor(2, [none, b"J\xff\xff\xff\x7f\x85", b"K\x00\x85"], b""),
        ),
        (
            "shape and strides that differ",
            one_tensor(2, [none, two, b"K\x01K\x01\x86"], b""),
        ),
        (
            "a part that leaves the storage",
            one_tensor(2, [none, two, one], b"U\x011K\x01K\x02\x87"),
        ),
        (
            "a part of another kind",
            one_tensor(2, [none, two, one], b"K\x01"),
        ),
    ] {
        assert!(
            read_all(&torch_zip(&pickle, &storage)).is_err(),
            "{what} in a zip"
        );
        assert!(
            read_all(&torch_stream(&pickle, &[0.0; 2])).is_err(),
            "{what} in a stream"
        );
    }
    let mut stream = torch_stream(&good, &[0.0; 2]);
    let at = stream.len() - 16;
    stream[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(refusal(&stream).contains("copied in full"));
}

#[test]
fn headers_of_arrays_that_lie_are_refused() {
    let header =
        |shape: &str| format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}");
    assert!(read_all(&npz(&header("(2,)"), &[0; 8])).is_ok());
    for shape in [
        "(3,)",
        "(1,)",
        "()",
        "(2, 18446744073709551615)",
        "(4294967296, 4294967296, 4294967296)",
        "(-2,)",
        "(2.0,)",
        "2",
        "(2,",
        "[2]",
    ] {
        assert!(read_all(&npz(&header(shape), &[0; 8])).is_err(), "{shape}");
    }
    let many = format!("({})", "1, ".repeat(100));
    assert!(read_all(&npz(&header(&many), &[0; 4])).is_err());
    let mut long = npy(&header("(2,)"), &[0; 8]);
    long[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
    let mut version = npy(&header("(2,)"), &[0; 8]);
    version[6] = 9;
    for array in [long, version, b"\x93NUMPY".to_vec(), b"other".to_vec()] {
        let bytes = zipped(&[("a.npy", &array)], CompressionMethod::Stored);
        assert!(read_all(&bytes).is_err());
    }
}

#[test]
fn a_bomb_is_not_unpacked() {
    let values = vec![0; 64 << 20];
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (16777216,)}";
    let bytes = npz(header, &values);
    assert!(bytes.len() < 100_000);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bomb.npz");
    fs::write(&path, &bytes).expect("a file");
    let state = BTreeMap::from([("a".to_owned(), vec![4])]);
    let wanted = Wanted {
        state: &state,
        generated: &BTreeSet::new(),
        prefix: "",
        names: &NameMap::default(),
    };
    let said = import(&path, &wanted)
        .expect_err("another shape")
        .to_string();
    assert!(
        said.contains("[16777216]") && said.contains("[4]"),
        "{said}"
    );

    // An entry that says it unpacks to more than deflate can pack.
    let mut bytes = npz(
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        &[0; 4],
    );
    let directory = bytes
        .windows(4)
        .rposition(|window| window == b"PK\x01\x02")
        .expect("a directory");
    bytes[directory + 24..directory + 28].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    assert!(refusal(&bytes).contains("cannot hold"));

    // A pickle of 65 MiB of nothing.
    let mut pickle = b"\x80\x02".to_vec();
    pickle.extend(b"N0".repeat(33 << 20));
    let entries: [(&str, &[u8]); 1] = [("a/data.pkl", &pickle)];
    let said = refusal(&zipped(&entries, CompressionMethod::Deflated));
    assert!(said.contains("MiB") || said.contains("values"), "{said}");
}

#[test]
fn headers_of_safetensors_that_lie_are_refused() {
    let file = |header: &str, values: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + values, 0);
        bytes
    };
    let entry = |shape: &str, offsets: &str| {
        format!("{{\"a\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
    };
    assert!(read_all(&file(&entry("[2]", "[0,8]"), 8)).is_ok());
    for (header, values) in [
        (entry("[2]", "[0,8]"), 7),
        (entry("[2]", "[0,8]"), 9),
        (entry("[3]", "[0,8]"), 8),
        (entry("[2]", "[8,0]"), 8),
        (entry("[2]", "[0,18446744073709551615]"), 8),
        (entry("[4294967296,4294967296]", "[0,8]"), 8),
        (entry("[-2]", "[0,8]"), 8),
        ("{".to_owned(), 8),
        ("{}".to_owned(), 8),
        ("[".repeat(100_000), 0),
    ] {
        assert!(read_all(&file(&header, values)).is_err(), "{header:.60}");
    }
    let mut long = file("{}", 0);
    long[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(TensorFile::new(Cursor::new(long)).is_err());
}

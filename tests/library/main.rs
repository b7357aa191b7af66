//! hqcc as a library: the examples of the runtime run, a run goes on and is exported, and errors have types.

#[allow(
    dead_code,
    reason = "only `run` is called, not the `main` of the program"
)]
#[path = "../../runtime/examples/predict.rs"]
mod predict;
#[allow(
    dead_code,
    reason = "only `run` is called, not the `main` of the program"
)]
#[path = "../../runtime/examples/train.rs"]
mod train;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use hqcc::data::{Phantom, write_phantom};
use hqcc::{Device, Error, Event, Formats, Labels, SavedRun, Which};

/// A network of one convolution on small phantoms.
const TEXT: &str = "
    model M {
      input ct: [1, H, W]
      head = conv(relu(batch_norm(conv(ct, 4))), 1)
      output head
    }
    data small = phantom { size = [16, 16], train = 0..2, test = 2..3, slices = 6, pixels = 24 }
    train { model = M(), data = small, loss = bce + dice, optim = adam(lr = 1e-2), batch = 4, epochs = 3 }";

fn cpu() -> Device {
    Device::open("cpu").expect("the CPU is always there")
}

#[test]
fn the_examples_train_and_predict() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("small.hqc"), TEXT).expect("the text is written");
    let run = train::run(&at("small.hqc"), &at("runs")).expect("it trains");
    let phantoms = Phantom {
        slices: 6,
        pixels: 24,
        ..Phantom::default()
    };
    write_phantom(&folder.path().join("volumes"), 1, &phantoms, &|_| {}).expect("a volume");
    let volume = at("volumes/case_00000/imaging.nii.gz");
    let run = run.display().to_string();
    predict::run(&run, &volume, &at("mask.nii.gz")).expect("it predicts");
    let mask = Labels::read(Path::new(&at("mask.nii.gz"))).expect("a mask");
    assert_eq!(mask.geometry.shape, [6, 24, 24]);
    for example in ["train", "predict"] {
        let root = env!("CARGO_MANIFEST_DIR");
        let file = format!("{root}/../runtime/examples/{example}.rs");
        let text = std::fs::read_to_string(file).expect("the example");
        assert!(text.lines().count() < 25, "{example} is short");
    }
}

#[test]
fn a_stopped_run_goes_on_is_measured_and_exported() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("small.hqc");
    std::fs::write(&file, TEXT).expect("the text is written");
    let runs = folder.path().join("runs");
    let open = || hqcc::open(&file, &[""; 0]).expect("it compiles");
    let whole = hqcc::train(open(), cpu(), &runs, "whole", &|| false, &mut |_| {});
    let whole = whole.expect("it trains").folder;
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) > 2;
    let cut = hqcc::train(open(), cpu(), &runs, "cut", &stop, &mut |_| {});
    let cut = cut.expect("it stops").folder;
    let reopen = || SavedRun::open(cut.path(), &[""; 0]).expect("a run");
    let mut steps = 0;
    hqcc::resume(reopen(), cpu(), &|| false, &mut |event| {
        if let Event::Step { .. } = event {
            steps += 1;
        }
    })
    .expect("it goes on");
    assert!(steps > 0);
    let bytes = |run: &Path| std::fs::read(run.join("last.safetensors")).expect("a checkpoint");
    assert!(bytes(whole.path()) == bytes(cut.path()), "the same bits");
    let results = hqcc::evaluate(reopen(), Which::Last, cpu(), &mut |_| {}).expect("measured");
    assert!(results.loss.is_finite());
    let formats = Formats {
        onnx: true,
        safetensors: true,
        pytorch_names: false,
    };
    let files = hqcc::export(&reopen(), Which::Best, formats, &folder.path().join("out"));
    let files = files.expect("it is exported");
    assert!(files.len() == 3 && files.iter().all(|file| file.is_file()));
}

#[test]
fn errors_have_types_and_print_themselves() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("wrong.hqc");
    std::fs::write(&file, TEXT.replace("conv(ct, 4)", "cnov(ct, 4)")).expect("a text");
    let Err(Error::Source(diagnostics)) = hqcc::open(&file, &[""; 0]) else {
        panic!("this is no layer")
    };
    let text = diagnostics[0].to_string();
    assert!(
        text.contains("wrong.hqc:4:") && text.contains("cnov(ct, 4)"),
        "{text}"
    );
    std::fs::write(&file, TEXT).expect("a text");
    let right = hqcc::open(&file, &["train.optim.lr=1e30"]).expect("it compiles");
    let Err(error) = hqcc::train(right, cpu(), folder.path(), "r", &|| false, &mut |_| {}) else {
        panic!("this blows up")
    };
    assert!(matches!(error, Error::Diverged(_)), "{error}");
    let none = SavedRun::open(folder.path(), &[""; 0]);
    assert!(matches!(none, Err(Error::Folder(_))));
    assert!(matches!(
        hqcc::open("nowhere.hqc", &[""; 0]),
        Err(Error::Source(_))
    ));
}

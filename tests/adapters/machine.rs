//! Text to a network on the CPU in f64, run step by step.

use std::collections::BTreeMap;

use hqcc::cpu::CpuExecutor;
use hqcc::executor::Executor;
use hqcc::weights::initialise;
use hqcc_compiler::Compiled;
use hqcc_compiler::diagnostic::{Diagnostic, render_all};
use hqcc_compiler::elaborate::{Network, Size, Study};
use hqcc_compiler::passes::optimiser::SCHEDULE;
use hqcc_compiler::program::{Entry, StateTensor};
use hqcc_compiler::steps::TARGET;
use hqcc_tests::networks;

/// The `train` section of the cases.
pub const TRAIN: &str = "train { model = M()  loss = bce + dice  optim = adam(lr = 1e-2, weight_decay = 0.1)  batch = 2 }\n";

/// A text that is compiled for one size.
pub struct File {
    /// What it is compiled to.
    pub compiled: Compiled<'static>,
    /// The size of the network's input.
    pub size: Size,
}

impl File {
    /// Compiles a text that is right, for two images of 8 x 8; [`TRAIN`] is added to it.
    pub fn new(text: &str) -> File {
        let size = Size {
            batch: 2,
            channels: 1,
            height: 8,
            width: 8,
        };
        File::sized(&format!("{text}\n{TRAIN}"), size)
    }

    /// Compiles a text that is right.
    pub fn sized(text: &str, size: Size) -> File {
        let texts = BTreeMap::from([("main.hqc".to_owned(), text.to_owned())]);
        let compiled = networks::compiled(texts, "main.hqc", &[], Some(size));
        let compiled = compiled.unwrap_or_else(|errors| panic!("{errors}"));
        File { compiled, size }
    }

    /// The network, before its rules or after.
    pub fn network(&self, training: bool, rules: bool) -> Network {
        right(match rules {
            true => self.compiled.network(self.size, training),
            false => self.compiled.source_network(self.size, training),
        })
    }

    /// A training step.
    pub fn train(&self) -> Entry {
        right(self.compiled.train(self.size))
    }

    /// An evaluation.
    pub fn evaluate(&self) -> Entry {
        right(self.compiled.evaluate(self.size))
    }

    /// The gradients of everything that is trained.
    pub fn gradients(&self) -> Entry {
        right(self.compiled.gradients(self.size, true))
    }

    /// A prediction, and what gives its generated weights.
    pub fn predict(&self) -> (Entry, Option<Entry>) {
        let predict = right(self.compiled.predict(self.size));
        (predict, right(self.compiled.weights()))
    }
}

fn right<T>(made: Result<T, Vec<Diagnostic>>) -> T {
    made.unwrap_or_else(|errors| panic!("{}", render_all(&errors)))
}

/// Entries on the CPU in f64.
#[derive(Default)]
pub struct Machine {
    executor: CpuExecutor<f64>,
    steps: u64,
}

/// Numbers by name.
pub type Values = BTreeMap<String, Vec<f64>>;

impl Machine {
    /// Loads an entry; its state starts as the seed says.
    pub fn load(&mut self, name: &str, entry: &Entry, seed: u64) {
        self.load_with(name, entry, |tensor| {
            let start = initialise(tensor, seed);
            start.data().iter().map(|&v| f64::from(v)).collect()
        });
    }

    /// Loads an entry with a state of the caller's.
    pub fn load_with(
        &mut self,
        name: &str,
        entry: &Entry,
        state: impl Fn(&StateTensor) -> Vec<f64>,
    ) {
        self.executor.load(name, entry).expect("loads");
        for tensor in entry.state() {
            let values = state(&tensor);
            let done = self.executor.write_values(&tensor.name, &values);
            done.unwrap_or_else(|e| panic!("{e}"));
        }
    }

    /// A state tensor.
    pub fn read(&self, name: &str) -> Vec<f64> {
        self.executor
            .read_values(name)
            .unwrap_or_else(|e| panic!("{e}"))
    }

    /// Runs an entry on given inputs.
    pub fn step(&mut self, name: &str, inputs: &[(&str, &[f64])]) -> Values {
        let outputs = self.executor.step(name, inputs);
        outputs.unwrap_or_else(|e| panic!("{e}"))
    }

    /// Runs an entry on the images and masks of all cases.
    pub fn run(&mut self, name: &str, study: &Study) -> Values {
        self.steps += 1;
        let schedule = study.train.optim.schedule(self.steps).map(f64::from);
        let image: Vec<f64> = (0..128)
            .map(|i| f64::from(i * 37 % 101) / 50.0 - 1.0)
            .collect();
        let target: Vec<f64> = (0..128).map(|i| f64::from(u8::from(i % 3 == 0))).collect();
        let inputs = [
            ("ct", &image[..]),
            (TARGET, &target[..]),
            (SCHEDULE, &schedule[..]),
        ];
        self.executor
            .step(name, &inputs)
            .unwrap_or_else(|e| panic!("{e}"))
    }
}

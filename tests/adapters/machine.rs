//! Text to a network on the CPU in f64, run step by step.

use std::collections::BTreeMap;

use hqcc::cpu::CpuExecutor;
use hqcc::executor::Executor;
use hqcc::weights::initialise;
use hqcc_compiler::diagnostic::{Diagnostic, render_all};
use hqcc_compiler::elaborate::{self, Network, Size, Study};
use hqcc_compiler::passes::optimiser::SCHEDULE;
use hqcc_compiler::program::{Entry, StateTensor};
use hqcc_compiler::steps::{self, Recipe, TARGET};
use hqcc_compiler::syntax::span::{MemoryWorld, Sources};

/// The `train` section of the cases.
pub const TRAIN: &str = "train { model = M()  loss = bce + dice  optim = adam(lr = 1e-2, weight_decay = 0.1)  batch = 2 }\n";

/// A file and what its sections ask for.
pub struct File {
    sources: Sources,
    world: MemoryWorld,
    project: elaborate::Project,
    /// What its sections ask for.
    pub study: Study,
    /// The size of the network's input.
    pub size: Size,
}

impl File {
    /// Reads a text that is right, for two images of 8 x 8; [`TRAIN`] is added to it.
    pub fn new(text: &str) -> File {
        let size = Size {
            batch: 2,
            channels: 1,
            height: 8,
            width: 8,
        };
        File::sized(&format!("{text}\n{TRAIN}"), size)
    }

    /// Reads a text that is right.
    pub fn sized(text: &str, size: Size) -> File {
        let mut world = MemoryWorld::default();
        world.files.insert("main.hqc".into(), text.into());
        let mut sources = Sources::default();
        let loaded = elaborate::load(&mut sources, &world, "main.hqc", &[]);
        let project = loaded.unwrap_or_else(|errors| panic!("{}", render_all(&errors, &sources)));
        let study = elaborate::study(&sources, &world, &project);
        let study = study.unwrap_or_else(|errors| panic!("{}", render_all(&errors, &sources)));
        File {
            sources,
            world,
            project,
            study,
            size,
        }
    }

    /// The network, before its rules or after.
    pub fn network(&self, training: bool, rules: bool) -> Network {
        self.attempt(training, rules)
            .unwrap_or_else(|errors| panic!("{}", render_all(&errors, &self.sources)))
    }

    fn attempt(&self, training: bool, rules: bool) -> Result<Network, Vec<Diagnostic>> {
        let (sources, world) = (&self.sources, &self.world);
        let mut network = elaborate::network(
            sources,
            world,
            &self.project,
            &self.study,
            self.size,
            training,
        )?;
        if rules {
            elaborate::apply(&mut network)?;
        }
        Ok(network)
    }

    /// A training step.
    pub fn train(&self) -> Entry {
        let recipe = Recipe {
            loss: self.study.train.loss.clone(),
            optimiser: self.study.train.optim.clone(),
        };
        let graph = steps::train(self.network(true, true).graph, &[], &recipe);
        Entry {
            graph: graph.expect("a training step"),
        }
    }

    /// An evaluation.
    pub fn evaluate(&self) -> Entry {
        let network = self.network(false, true);
        let graph = steps::evaluate(network.graph, &[], &self.study.train.loss);
        Entry {
            graph: graph.expect("an evaluation"),
        }
    }

    /// The gradients of everything that is trained.
    pub fn gradients(&self) -> Entry {
        let network = self.network(true, true);
        let graph = steps::gradients(network.graph, &[], &self.study.train.loss);
        Entry {
            graph: graph.expect("gradients"),
        }
    }

    /// A prediction, and what gives its generated weights.
    pub fn predict(&self) -> (Entry, Option<Entry>) {
        let graph = steps::predict(self.network(false, false).graph).expect("a prediction");
        let weights = steps::weights(self.network(false, true).graph, &[]).expect("weights");
        (Entry { graph }, weights.map(|graph| Entry { graph }))
    }
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

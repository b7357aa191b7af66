//! A small network built through the layer table goes through every step.

use std::num::NonZeroUsize;

use hqcc_compiler::dot;
use hqcc_compiler::graph::{Graph, Input, NodeId};
use hqcc_compiler::ops::{self, Builder};
use hqcc_compiler::passes::loss::Loss;
use hqcc_compiler::passes::optimiser::Optimiser;
use hqcc_compiler::passes::rewrite::Rule;
use hqcc_compiler::program::Entry;
use hqcc_compiler::setting::{SettingValue, Settings};
use hqcc_compiler::steps::{self, Recipe, StepError};
use hqcc_compiler::summary::summarise;
use hqcc_compiler::tensor_type::TensorType;

fn layer(
    graph: &mut Graph,
    training: bool,
    kind: &str,
    path: &str,
    tensors: &[NodeId],
    given: &[(&'static str, SettingValue)],
) -> NodeId {
    let info = ops::LAYERS.iter().find(|l| l.name == kind).expect("layer");
    let mut settings = Settings::default();
    for s in info.settings {
        let value = match s.default {
            Some("true") => SettingValue::Bool(true),
            Some("false") => SettingValue::Bool(false),
            Some("auto") | None => continue,
            Some(text) => match text.parse::<i64>() {
                Ok(n) => SettingValue::Int(n),
                Err(_) => text
                    .parse::<f64>()
                    .map_or_else(|_| SettingValue::Word(text.to_owned()), SettingValue::Float),
            },
        };
        settings.0.insert(s.name, value);
    }
    settings.0.extend(given.iter().cloned());
    let mut builder = Builder {
        graph,
        path: path.to_owned(),
        training,
    };
    (info.build)(&mut builder, tensors, &settings).expect("builds")
}

fn network(training: bool) -> Graph {
    let mut g = Graph::default();
    let x = g
        .add(
            Input {
                ty: TensorType::image([2, 1, 8, 8]),
            },
            &[],
            "ct",
        )
        .expect("input");
    let c = |n| ("channels", SettingValue::Int(n));
    let a = layer(
        &mut g,
        training,
        "conv",
        "a.conv",
        &[x],
        &[c(4), ("bias", SettingValue::Bool(false))],
    );
    let a = layer(&mut g, training, "batch_norm", "a.norm", &[a], &[]);
    let a = layer(&mut g, training, "relu", "a.relu", &[a], &[]);
    let p = layer(&mut g, training, "max_pool", "pool", &[a], &[]);
    let up = layer(&mut g, training, "conv_transpose", "up", &[p], &[c(4)]);
    let cat = layer(&mut g, training, "concat", "cat", &[a, up], &[]);
    let head = layer(&mut g, training, "conv", "head", &[cat], &[c(1)]);
    g.set_output("head", head);
    g
}

fn rules() -> Vec<Rule> {
    let post = |path, method, post: &str| {
        let rule = Rule::new(path, method).expect("a method");
        rule.with("post", SettingValue::Word(post.to_owned()))
    };
    vec![post("up", "qpga", "sst"), post("head", "qpg", "lpp")]
}

fn recipe() -> Recipe {
    Recipe {
        loss: vec![(1.0, Loss::Bce), (1.0, Loss::Dice)],
        optimiser: Optimiser::Adam {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 5e-4,
            decoupled: false,
        },
    }
}

#[test]
fn every_step_is_made_and_survives_storage() {
    let train = steps::train(network(true), &rules(), &recipe()).expect("train");
    let evaluate = steps::evaluate(network(false), &rules(), &recipe().loss).expect("evaluate");
    let predict = steps::predict(network(false)).expect("predict");
    let weights = steps::weights(network(false), &rules())
        .expect("weights")
        .expect("generated");
    assert_eq!(
        weights.outputs().keys().collect::<Vec<_>>(),
        ["head.weight", "up.weight"]
    );
    assert!(predict.find("head.weight").is_some());
    for graph in [train, evaluate, predict, weights] {
        let entry = Entry { graph };
        let text = serde_json::to_string(&entry).expect("stores");
        let back: Entry = serde_json::from_str(&text).expect("reads");
        assert_eq!(text, serde_json::to_string(&back).expect("stores again"));
        assert!(dot::to_dot(&back.graph, &dot::DotOptions::default()).contains("digraph"));
    }
}

#[test]
fn summary_counts_as_the_paper_does() {
    let graph = steps::rewritten(network(true), &rules()).expect("rewrites");
    let summary = summarise(&graph);
    let head = summary
        .layers
        .iter()
        .find(|row| row.path == "head")
        .expect("head");
    let generation = head.generation.clone().expect("generated");
    // 8 -> 1, 3x3: 9 circuits of 3 qubits, 54 angles for 72 weights.
    assert_eq!(
        (
            generation.circuits,
            generation.qubits,
            generation.angles,
            generation.weights
        ),
        (9, 3, 54, 72)
    );
    assert_eq!(generation.post, 5);
    assert_eq!(head.trained, 54 + 5 + 1);
    let up = summary
        .layers
        .iter()
        .find(|row| row.path == "up")
        .expect("up");
    assert_eq!((up.frozen, up.generated), (64, 64));
}

#[test]
fn rules_that_fight_or_match_nothing_are_refused() {
    let mut rules = rules();
    rules.push(Rule {
        path: "hea*".into(),
        ..rules[1].clone()
    });
    rules.push(Rule::new("tail", "freeze").expect("a method"));
    let Err(StepError::Rewrite(errors)) = steps::rewritten(network(true), &rules) else {
        panic!("rules were taken")
    };
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().any(|e| e.other == Some(1)));
}

fn drawn(graph: &Graph, options: dot::DotOptions) -> String {
    let text = dot::to_dot(graph, &options);
    // Every edge leads from a box to a box.
    let boxes = text.lines().filter(|line| line.contains("shape="));
    let id = |text: &str| text.trim().split("\"").nth(1).map(str::to_owned);
    let boxes: Vec<_> = boxes.filter_map(id).collect();
    for (from, to) in text.lines().filter_map(|line| line.split_once(" -> ")) {
        for end in [from, to] {
            assert!(id(end).is_some_and(|end| boxes.contains(&end)), "{end}");
        }
    }
    text
}

#[test]
fn pictures_fold_chains_and_show_what_circuits_generate() {
    let graph = steps::rewritten(network(true), &rules()).expect("rewrites");
    let at = |depth| dot::DotOptions {
        depth: NonZeroUsize::new(depth),
        ..Default::default()
    };
    let line = |text: &str, id: &str| {
        let start = format!("\"{id}\" [");
        let found = text.lines().find(|line| line.trim().starts_with(&start));
        found.map(str::to_owned)
    };
    let overview = drawn(&graph, at(1));
    let head = line(&overview, "head").expect("a box");
    assert!(
        head.contains("#b98ee0") && head.contains("9 circuits of 3 qubits"),
        "{head}"
    );
    assert!(line(&overview, "a").expect("a box").contains("box3d"));
    assert!(!overview.contains("parameter\\n"), "{overview}");
    // Three layers without a branch are one box; the inside of a generated layer shows.
    let layers = drawn(&graph, at(2));
    let chain = line(&layers, "a.conv").expect("a box");
    assert!(
        chain.contains("conv2d 3 x 3") && chain.contains("batch_norm") && chain.contains("relu")
    );
    assert_eq!(line(&layers, "a.relu"), None);
    assert!(
        line(&layers, "head.weight.theta")
            .expect("a box")
            .contains("ellipse")
    );
    let generated = line(&layers, "head.weight.generated").expect("a box");
    assert!(
        generated.contains("#b98ee0") && generated.contains("[1, 8, 3, 3]"),
        "{generated}"
    );
    let (readable, deepest) = dot::readable_depth(&graph);
    assert_eq!((readable.get(), deepest), (2, 2));
    assert!(
        layers.contains("weight generated by circuits"),
        "the legend"
    );
    let nodes = dot::DotOptions {
        nodes: true,
        ..Default::default()
    };
    assert!(line(&drawn(&graph, nodes), "a.norm.running_mean").is_some());
}

/// Graphviz must take every stage without a complaint. Without `dot` on the machine the case says so.
#[test]
fn graphviz_accepts_every_stage() {
    let train = steps::train(network(true), &rules(), &recipe()).expect("train");
    let qpg = steps::rewritten(network(true), &rules()).expect("rewrites");
    for (graph, depth) in [
        (&qpg, None),
        (&qpg, NonZeroUsize::new(1)),
        (&train, None),
        (&train, NonZeroUsize::new(2)),
    ] {
        let text = dot::to_dot(
            graph,
            &dot::DotOptions {
                title: "a \"quoted\" title".into(),
                depth,
                ..Default::default()
            },
        );
        let dot = std::process::Command::new("dot")
            .arg("-Tsvg")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn();
        let Ok(mut dot) = dot else {
            println!("skipped: Graphviz is not installed");
            return;
        };
        use std::io::Write;
        let mut stdin = dot.stdin.take().expect("piped");
        stdin.write_all(text.as_bytes()).expect("writes");
        drop(stdin);
        let out = dot.wait_with_output().expect("runs");
        let complaint = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.success() && complaint.is_empty(),
            "{complaint}\n{text}"
        );
    }
}

//! A small network goes through every step, is stored and drawn.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use hqcc_compiler::Compiled;
use hqcc_compiler::dot;
use hqcc_compiler::elaborate::Size;
use hqcc_compiler::graph::Graph;
use hqcc_compiler::program::Entry;
use hqcc_compiler::summary::summarise;
use hqcc_tests::networks;

/// Every weight of the two last layers comes from circuits.
const RULES: &str = "up => qpga(post = sst)   head => qpg(post = lpp)";

fn size(batch: usize) -> Size {
    Size {
        batch,
        channels: 1,
        height: 8,
        width: 8,
    }
}

fn attempt(rules: &str) -> Result<Compiled<'static>, String> {
    let text = format!(
        "block step(x) {{
           conv = conv(x, 4, bias = false)
           norm = batch_norm(conv)
           return relu(norm)
         }}
         model M {{
           input ct: [1, H, W]
           a = step(ct)
           pool = max_pool(a)
           up = conv_transpose(pool, 4)
           cat = concat(a, up)
           head = conv(cat, 1)
           output head
         }}
         rewrite R {{ {rules} }}
         train {{ model = M(), rewrite = R, loss = bce + dice, optim = adam(lr = 1e-3, weight_decay = 5e-4) }}"
    );
    let texts = BTreeMap::from([("m.hqc".to_owned(), text)]);
    networks::compiled(texts, "m.hqc", &[], Some(size(1)))
}

fn compiled() -> Compiled<'static> {
    attempt(RULES).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The network after its rules, in training.
fn rewritten() -> Graph {
    compiled()
        .network(size(2), true)
        .expect("the network takes two samples")
        .graph
}

#[test]
fn every_step_is_made_and_survives_storage() {
    let compiled = compiled();
    let train = compiled.train(size(2)).expect("train");
    let evaluate = compiled.evaluate(size(2)).expect("evaluate");
    let predict = compiled.predict(size(2)).expect("predict");
    let weights = compiled.weights().expect("weights").expect("generated");
    assert_eq!(
        weights.graph.outputs().keys().collect::<Vec<_>>(),
        ["head.weight", "up.weight"]
    );
    assert!(predict.graph.find("head.weight").is_some());
    for entry in [train, evaluate, predict, weights] {
        let text = serde_json::to_string(&entry).expect("stores");
        let back: Entry = serde_json::from_str(&text).expect("reads");
        assert_eq!(text, serde_json::to_string(&back).expect("stores again"));
        assert!(dot::to_dot(&back.graph, &dot::DotOptions::default()).contains("digraph"));
    }
}

#[test]
fn gradients_are_those_of_the_parameters_that_training_moves() {
    let compiled = compiled();
    let gradients = compiled.gradients(size(2), true).expect("gradients");
    let named = gradients.graph.outputs().keys();
    let named: Vec<_> = named
        .filter_map(|name| name.strip_prefix("grad "))
        .collect();
    let train = compiled.train(size(2)).expect("train");
    let moments = train.state().into_iter().filter_map(|tensor| {
        let moved = tensor.name.strip_prefix("optim.m.");
        moved.map(str::to_owned)
    });
    let mut moved: Vec<_> = moments.collect();
    moved.sort();
    assert_eq!(named, moved);
}

#[test]
fn summary_counts_as_the_paper_does() {
    let graph = rewritten();
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
    let Err(errors) = attempt(&format!("{RULES}   hea* => qpg()   freeze tail")) else {
        panic!("rules were taken")
    };
    assert_eq!(errors.matches("error[").count(), 2, "{errors}");
    assert!(
        errors.contains("rule::conflict") && errors.contains("rule::unmatched"),
        "{errors}"
    );
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
    let graph = rewritten();
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
    let train = compiled().train(size(2)).expect("train").graph;
    let qpg = rewritten();
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

//! One elaboration serves every batch size, in training and without.

use hqcc_compiler::Compiled;
use hqcc_compiler::elaborate::{Network, Size};
use hqcc_tests::networks;

/// All of a network that a later stage can see, as text.
fn stored(network: &Network) -> String {
    let graph = &network.graph;
    let layers = network.layers.iter().map(|layer| {
        let inputs: Vec<_> = layer.inputs.iter().map(|id| graph.name(*id)).collect();
        format!("{} {inputs:?} {}\n", layer.path, graph.name(layer.output))
    });
    let layers: String = layers.collect();
    let [input, output] = [network.input_id, network.output].map(|id| graph.name(id));
    let graph = serde_json::to_string(graph).expect("a graph can be stored");
    format!("{input} {output}\n{layers}{:?}\n{graph}", network.rules)
}

fn check(file: &str, compiled: &Compiled<'_>, size: Size) {
    for training in [true, false] {
        let replayed = compiled.source_network(size, training);
        let elaborated = compiled.elaborate(size, training);
        let [replayed, elaborated] = [replayed, elaborated]
            .map(|network| stored(&network.unwrap_or_else(|e| panic!("{file}: {e:?}"))));
        // The texts are long: the first line that differs says enough.
        let mut lines = replayed.lines().zip(elaborated.lines());
        let differs = lines.find(|(replayed, elaborated)| replayed != elaborated);
        assert!(
            replayed == elaborated,
            "{file}, {size:?}, training: {training}: {differs:?}"
        );
    }
}

#[test]
fn replays_of_every_model_equal_its_elaboration() {
    for file in networks::files().keys() {
        let compiled = networks::experiment(file, &[], None).unwrap_or_else(|e| panic!("{e}"));
        for batch in [1, 3, 8] {
            check(file, &compiled, compiled.size(batch));
        }
        let size = compiled.size(2);
        let (height, width) = (size.height / 2, size.width);
        if let Ok(smaller) = compiled.fitting(Size { height, ..size }) {
            assert_eq!(smaller.width, width);
            check(file, &compiled, smaller);
        }
    }
}

#[test]
fn unused_layers_dropout_and_passed_on_tensors_replay() {
    let text = "
        block twice(x) {
          @unused
          extra = dropout(batch_norm(conv(x, 4)))
          return dropout(resize(x, x), 0.0)
        }
        model M {
          input ct: [1, H, W]
          a = batch_norm(conv(ct, 4))
          b = dropout(a) + a
          @unused
          c = twice(b)
          d = dropout(twice(b))
          head = conv(concat(d, b), 1)
          output a, b, head
        }";
    let text = text.replace("output a, b, head", "output conv(a, 1), head");
    let texts = [("m.hqc".to_owned(), text)].into();
    let compiled = networks::compiled(texts, "m.hqc", &[], None).unwrap_or_else(|e| panic!("{e}"));
    for batch in [1, 2, 5] {
        check("m.hqc", &compiled, compiled.size(batch));
    }
}

#[test]
fn a_map_of_one_pixel_trains_on_two_samples_and_predicts_on_one() {
    let text = "
        model M {
          input ct: [1, H, W]
          a = batch_norm(conv(ct, 4, stride = 2))
          output conv(resize(a, ct), 1)
        }";
    let texts = [("m.hqc".to_owned(), text.to_owned())].into();
    let size = Size {
        batch: 1,
        channels: 1,
        height: 2,
        width: 2,
    };
    let compiled = networks::compiled(texts, "m.hqc", &[], Some(size));
    let compiled = compiled.unwrap_or_else(|e| panic!("{e}"));
    assert!(compiled.predict(size).is_ok());
    assert!(compiled.train(Size { batch: 2, ..size }).is_ok());
    let Err(errors) = compiled.train(size) else {
        panic!("one value has no variance");
    };
    let text = errors[0].to_string();
    assert!(
        text.contains("m.hqc:4:") && text.contains("more than one value"),
        "{text}"
    );
}

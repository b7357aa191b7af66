//! The networks whose training steps are timed.

use std::collections::BTreeMap;

/// A network of `models/`.
pub struct Network {
    /// Its name, and its name when circuits generate its last convolution.
    pub names: [&'static str; 2],
    /// Its file in `hqcc_models::MODELS`.
    pub file: &'static str,
    /// Channels of the first layer in the original.
    pub width: usize,
    /// The model with another number of channels there, as written in .hqc; everything else keeps its proportion.
    pub call: fn(usize) -> String,
    /// The path of its last convolution.
    pub last: &'static str,
}

/// All of them.
pub const NETWORKS: [Network; 5] = [
    Network {
        names: ["msnet", "qmsnet"],
        file: "msnet.hqc",
        width: 64,
        call: |w| format!("MSNet(base = {w})"),
        last: "output1",
    },
    Network {
        names: ["transunet", "qtransunet"],
        file: "transunet.hqc",
        width: 64,
        call: |w| {
            let (hidden, mlp, bottom) = (12 * w, 48 * w, 8 * w);
            let widths = format!("[{}, {}, {w}, {}]", 4 * w, 2 * w, w.div_ceil(4));
            format!(
                "TransUNet(base = {w}, hidden = {hidden}, mlp = {mlp}, bottom = {bottom}, widths = {widths})"
            )
        },
        last: "head",
    },
    Network {
        names: ["unet", "qunet"],
        file: "unet.hqc",
        width: 64,
        call: |w| format!("UNet(base = {w})"),
        last: "outc",
    },
    Network {
        names: ["unetpp", "qunetpp"],
        file: "unetpp.hqc",
        width: 64,
        call: |w| {
            let widths = [16, 8, 4, 2, 1].map(|factor| factor * w);
            format!("UNetPP(base = {w}, widths = {widths:?})")
        },
        last: "head",
    },
    Network {
        names: ["unext", "qunext"],
        file: "unext.hqc",
        width: 16,
        call: |w| {
            let widths = [1, 2, 8, 10, 16].map(|factor| factor * w);
            format!("UNeXt(widths = {widths:?})")
        },
        last: "final",
    },
];

/// The names of all networks, classical ones and those with a generated layer.
pub fn names() -> Vec<&'static str> {
    NETWORKS.iter().flat_map(|network| network.names).collect()
}

/// The network of a name, and whether its last convolution is generated.
pub fn find(name: &str) -> Option<(&'static Network, bool)> {
    NETWORKS.iter().find_map(|network| match network.names {
        [classical, _] if classical == name => Some((network, false)),
        [_, hybrid] if hybrid == name => Some((network, true)),
        _ => None,
    })
}

/// The experiment `bench.hqc`, which trains the network of a name with the recipe of the paper, and the models that it can
/// import: text by path.
pub fn experiment(
    network: &Network,
    generated: bool,
    width: usize,
    size: usize,
    batch: usize,
) -> BTreeMap<String, String> {
    let Network {
        file, call, last, ..
    } = network;
    let (rule, chosen) = match generated {
        true => (
            format!("rewrite Last {{ {last} => qpg(blocks = 1, post = lpp) }}"),
            "rewrite = Last",
        ),
        false => (String::new(), ""),
    };
    let text = format!(
        "import \"{file}\" as m\n{rule}\n\
         data none = phantom {{ size = [{size}, {size}], train = 0..1, test = 1..2 }}\n\
         train {{ model = m.{} {chosen}\n data = none, loss = bce + dice,\n\
         optim = adam(lr = 1e-3, weight_decay = 5e-4), batch = {batch}, epochs = 1 }}\n",
        call(width)
    );
    let models = hqcc_models::MODELS.iter().copied();
    models
        .chain([("bench.hqc", text.as_str())])
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .collect()
}

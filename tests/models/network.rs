//! `models/unet.hqc` at the width, size and batch of a reference, and where the tensors of the original lie in it.

use hqcc_compiler::diagnostic::Diagnostic;
use hqcc_compiler::elaborate::{self, Size, Study};
use hqcc_compiler::graph::Graph;
use hqcc_compiler::steps::Recipe;
use hqcc_compiler::syntax::span::{MemoryWorld, Sources};

use crate::reference::Settings;

/// The name of the network's input.
pub const INPUT: &str = "image";

/// The network with and without batch statistics, and how it is trained.
pub struct Networks {
    /// Normalisations use the batch and move their running statistics.
    pub training: Graph,
    /// Normalisations use their running statistics.
    pub evaluation: Graph,
    /// Loss and optimiser.
    pub recipe: Recipe,
}

/// Compiles the network.
pub fn unet(settings: &Settings) -> Networks {
    compile(settings).unwrap_or_else(|errors| {
        let messages: Vec<_> = errors.into_iter().map(|e| e.message).collect();
        panic!("{messages:?}")
    })
}

fn compile(settings: &Settings) -> Result<Networks, Vec<Diagnostic>> {
    let (base, bilinear) = (settings.base, settings.variant == "bilinear");
    let main = format!(
        "import \"unet.hqc\" as unet\n\
         train {{\n  model = unet.UNet(base = {base}, bilinear = {bilinear})\n  loss = bce + dice\n  \
         optim = adam(lr = 1e-3, weight_decay = 5e-4)\n}}\n"
    );
    let mut world = MemoryWorld::default();
    world.files.insert("main.hqc".into(), main);
    let unet = include_str!("../../models/unet.hqc");
    world.files.insert("unet.hqc".into(), unet.into());
    let mut sources = Sources::default();
    let project = elaborate::load(&mut sources, &world, "main.hqc", &[])?;
    let study: Study = elaborate::study(&sources, &world, &project)?;
    let [height, width] = settings.size;
    let size = Size {
        batch: settings.batch,
        channels: 1,
        height,
        width,
    };
    let network = |training| {
        let network = elaborate::network(&sources, &world, &project, &study, size, training)?;
        assert_eq!(network.input, INPUT);
        Ok::<_, Vec<Diagnostic>>(network.graph)
    };
    Ok(Networks {
        training: network(true)?,
        evaluation: network(false)?,
        recipe: Recipe {
            loss: study.train.loss.clone(),
            optimiser: study.train.optim.clone(),
        },
    })
}

/// The path of a tensor of the original, such as `down2.maxpool_conv.1.double_conv.3.weight`: `e[2].conv2.weight`.
pub fn path(original: &str) -> String {
    let (layer, tensor) = original
        .rsplit_once('.')
        .unwrap_or_else(|| panic!("`{original}` is no tensor of a layer"));
    if layer == "outc.conv" {
        return format!("outc.{tensor}");
    }
    let level = |name: &str| {
        let digit = name.chars().last().and_then(|c| c.to_digit(10));
        digit.unwrap_or_else(|| panic!("`{original}` has no level"))
    };
    let (stage, rest) = layer.split_once('.').unwrap_or((layer, ""));
    if rest == "up" {
        return format!("up[{}].{tensor}", 4 - level(stage));
    }
    let block = match stage {
        "inc" => "e[0]".to_owned(),
        down if down.starts_with("down") => format!("e[{}]", level(down)),
        up => format!("d[{}]", 4 - level(up)),
    };
    let inner = match level(rest) {
        0 => "conv1",
        1 => "bn1",
        3 => "conv2",
        4 => "bn2",
        _ => panic!("`{original}` is no tensor of a double convolution"),
    };
    format!("{block}.{inner}.{tensor}")
}

#[test]
fn names_of_the_original_are_paths_here() {
    for (original, here) in [
        ("inc.double_conv.1.running_var", "e[0].bn1.running_var"),
        (
            "down2.maxpool_conv.1.double_conv.3.weight",
            "e[2].conv2.weight",
        ),
        ("up1.up.bias", "up[3].bias"),
        ("up4.conv.double_conv.4.bias", "d[0].bn2.bias"),
        ("outc.conv.weight", "outc.weight"),
    ] {
        assert_eq!(path(original), here);
    }
}

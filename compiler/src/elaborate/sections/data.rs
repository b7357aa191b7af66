//! The `data` section.

use super::overlay::overlaid;
use super::reader::Reader;
use crate::diagnostic::{Diagnostic, suggest};
use crate::elaborate::project::Project;
use crate::elaborate::state::{Elaborator, Frame};
use crate::experiment::*;
use crate::syntax::ast::*;

/// The settings that every kind of data has.
pub(super) const DATA: [&str; 20] = [
    "task",
    "window",
    "size",
    "train",
    "test",
    "mode",
    "mean",
    "median",
    "select",
    "min_pixels",
    "crop",
    "pad",
    "kidney_mask",
    "cache",
    "augment.flip",
    "augment.rotate",
    "augment.scale",
    "augment.gamma",
    "augment.noise",
    "root",
];

/// The settings that only generated data has.
pub(super) const PHANTOM: [&str; 4] = ["seed", "slices", "pixels", "tumors"];

pub(super) fn read_data<'a>(
    elaborator: &mut Elaborator<'a>,
    project: &'a Project,
    data: &'a Data,
    frame: &Frame<'a>,
) -> (DataConfig, Vec<Resolved>) {
    let sources = [("kits19", Source::Kits19), ("phantom", Source::Phantom)];
    let source = sources.iter().find(|(name, _)| *name == data.source.name);
    if source.is_none() {
        let message = format!("there is no source of data called `{}`", data.source.name);
        let mut error = Diagnostic::error("data::source", message).at(data.source.span, "");
        error.help = suggest(&data.source.name, &sources.map(|(name, _)| name));
        elaborator.fail(error);
    }
    let layout = source.map_or(Source::Phantom, |(_, source)| *source);
    let name = &data.name.name;
    let entries = overlaid(elaborator, project, &data.entries, &["data", name]);
    let section = format!("data {name} = {}", data.source.name);
    let mut reader = Reader::new(elaborator, frame, section, entries);
    let generated = layout == Source::Phantom;
    let (train, test) = if generated {
        ("0..8", "8..10")
    } else {
        ("0..180", "180..200")
    };
    let root = match generated {
        true => None,
        false => Some(reader.text("root", "none")).filter(|root| root != "none"),
    };
    let config = DataConfig {
        layout,
        root,
        task: reader.word("task", &["kidney", "tumor"], "kidney"),
        window: reader.pair("window", [-30.0, 300.0]),
        size: read_size(&mut reader),
        train: reader.cases("train", train),
        test: reader.cases("test", test),
        mode: reader.word("mode", &["u8", "f32"], "u8"),
        mean: reader.int("mean", 3, 1, 31) as usize,
        median: reader.int("median", 7, 1, 31) as usize,
        select: reader.word("select", &["all", "any", "kidney", "tumor"], "any"),
        min_pixels: reader.int("min_pixels", 1, 0, 1 << 30) as usize,
        crop: reader.word("crop", &["component", "union"], "component"),
        pad: reader.int("pad", 0, 0, 8192) as usize,
        kidney_mask: reader.word("kidney_mask", &["union", "strict"], "union"),
        cache: reader.text("cache", "auto"),
        augment: Augment {
            flip: reader.bool("augment.flip", false),
            rotate: reader.float("augment.rotate", 0.0),
            scale: reader.float("augment.scale", 0.0),
            gamma: reader.float("augment.gamma", 0.0),
            noise: reader.float("augment.noise", 0.0),
        },
        phantom: match generated {
            true => Phantom {
                seed: reader.int("seed", 1, 0, i64::MAX) as u64,
                slices: reader.int("slices", 32, 1, 2048) as usize,
                pixels: reader.int("pixels", 192, 16, 1024) as usize,
                tumors: reader.float("tumors", 0.7),
            },
            false => Phantom {
                seed: 1,
                slices: 32,
                pixels: 192,
                tumors: 0.7,
            },
        },
    };
    let mut known = DATA.to_vec();
    if generated {
        known.extend(PHANTOM);
    }
    let resolved = reader.finish(&known);
    (config, resolved)
}

pub(super) fn read_size(reader: &mut Reader) -> [usize; 2] {
    let default = [256.0, 256.0];
    let size = reader.pair("size", default);
    if size
        .iter()
        .all(|side| side.fract() == 0.0 && (1.0..=8192.0).contains(side))
    {
        return size.map(|side| side as usize);
    }
    if let Some(expr) = reader.given("size") {
        let error = Diagnostic::error("setting::range", "`size` is rows and columns, 1 to 8192");
        let label = format!("this is {} x {}", size[0], size[1]);
        reader.elaborator.fail(error.at(expr.span, label));
    }
    [256, 256]
}

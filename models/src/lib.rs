//! Segmentation networks in the language of hqcc, and the standard library that every `.hqc` file can import.

/// A table of files of this folder: the path and the text.
macro_rules! files {
    ($($path:literal),+ $(,)?) => { &[$(($path, include_str!(concat!("../", $path)))),+] };
}

/// The files that are part of the language, `import "std/blocks.hqc" as b`: path and text.
pub const STANDARD: &[(&str, &str)] = files![
    "std/blocks.hqc",
    "std/pretrained.hqc",
    "std/res2net.hqc",
    "std/resnet.hqc",
    "std/transformer.hqc",
    "std/vgg.hqc",
];

/// Networks and experiments to run and to read: path and text.
///
/// ```
/// let files = hqcc_models::MODELS.iter();
/// let unet = files.copied().find(|(path, _)| *path == "unet.hqc");
/// assert!(unet.is_some_and(|(_, text)| text.contains("model UNet")));
/// ```
pub const MODELS: &[(&str, &str)] = files![
    "msnet.hqc",
    "qmsnet.hqc",
    "qtransunet.hqc",
    "quickstart.hqc",
    "qunet.hqc",
    "qunetpp.hqc",
    "qunext.hqc",
    "transunet.hqc",
    "unet.hqc",
    "unetpp.hqc",
    "unext.hqc",
];

/// The experiment that a newcomer begins with: a small hybrid on made-up volumes.
pub const QUICKSTART: &str = include_str!("../quickstart.hqc");

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_in_its_table() {
        for (folder, prefix, table) in [("", "", MODELS), ("std", "std/", STANDARD)] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let names = folder.read_dir().expect("the folder is there").flatten();
            let mut found: Vec<_> = names
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| name.ends_with(".hqc"))
                .map(|name| format!("{prefix}{name}"))
                .collect();
            found.sort();
            let known: Vec<_> = table.iter().map(|(path, _)| *path).collect();
            assert_eq!(found, known);
        }
    }
}

//! Post-processings: functions that turn the readout of a circuit into weights.

mod affine;
mod lpp;
mod rce;
mod sst;

use super::generation::Generation;
use crate::graph::NodeId;
use crate::ops::Readout;
use crate::setting::{Setting, Settings};
use crate::tensor_type::ShapeError;

/// A post-processing: a word of the language.
pub struct Post {
    /// The word.
    pub name: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    /// What is read from the circuits.
    pub readout: Readout,
    /// Its settings, given among those of the method that generates.
    pub settings: &'static [Setting],
    /// Adds its nodes behind a readout `f32[circuits, used]` of `[circuits, qubits]` and gives the last one, of the same
    /// type.
    pub add:
        fn(&mut Generation<'_, '_>, NodeId, [usize; 2], &Settings) -> Result<NodeId, ShapeError>,
}

/// Every post-processing, by name.
pub const POSTS: &[Post] = &[affine::POST, lpp::POST, rce::POST, sst::POST];

/// Their names.
pub(super) const NAMES: &[&str] = &{
    let mut names = [""; POSTS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = POSTS[at].name;
        at += 1;
    }
    names
};

/// The post-processing of that name.
///
/// # Errors
/// A setting of another one was given.
pub(super) fn chosen(given: &Settings, name: &str) -> Result<&'static Post, ShapeError> {
    let mut found = None;
    for post in POSTS {
        if post.name == name {
            found = Some(post);
        } else if let Some(setting) = post.settings.iter().find(|s| given.0.contains_key(s.name)) {
            let (setting, of) = (setting.name, post.name);
            let message =
                format!("`{setting}` is a setting of the post-processing `{of}`, not of `{name}`");
            return Err(ShapeError::new(message)
                .help(format!("say `post = {of}`, or leave `{setting}` out")));
        }
    }
    found.ok_or_else(|| ShapeError::new(format!("there is no post-processing `{name}`")))
}

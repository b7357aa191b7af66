//! `rce`: the real part of each amplitude.

use super::Post;
use crate::ops::Readout;

pub(super) const POST: Post = Post {
    name: "rce",
    doc: "y = Re psi",
    readout: Readout::Real,
    settings: &[],
    add: |_, read, _, _| Ok(read),
};

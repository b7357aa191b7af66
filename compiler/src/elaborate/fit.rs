//! The sizes that a model can take.

use std::cell::Cell;

use super::project::Project;
use super::state::{Elaborator, Frame, Size};
use super::study::Study;
use crate::syntax::ast::StatementKind;
use crate::syntax::span::{Sources, World};

/// By how much an axis may grow.
const MOST: usize = 256;

/// How many steps of evaluation all tries may take together: a few seconds.
const MAX_WORK: usize = 4_000_000;

/// The smallest size, not smaller than the given one, that the declaration of the model's input allows.
///
/// # Errors
/// There is none near; the sentence says why the given one is refused.
pub fn fitting(
    sources: &Sources,
    world: &dyn World,
    project: &Project,
    study: &Study,
    size: Size,
) -> Result<Size, String> {
    let work = Cell::new(0);
    let try_size = |size| declaration(sources, world, project, study, size, &work);
    let Err(reason) = try_size(size) else {
        return Ok(size);
    };
    let mut best: Option<Size> = None;
    for height in size.height..=size.height + MOST {
        if best.is_some_and(|best| height * size.width >= best.height * best.width) {
            break;
        }
        let fits = |&width: &usize| {
            let candidate = Size {
                height,
                width,
                ..size
            };
            work.get() <= MAX_WORK && try_size(candidate).is_ok()
        };
        let Some(width) = (size.width..=size.width + MOST).find(fits) else {
            continue;
        };
        if best.is_none_or(|best| height * width < best.height * best.width) {
            best = Some(Size {
                height,
                width,
                ..size
            });
        }
    }
    best.ok_or(reason)
}

/// Whether the declaration of the input allows a size; the first reason against it. `work` counts the steps.
fn declaration(
    sources: &Sources,
    world: &dyn World,
    project: &Project,
    study: &Study,
    size: Size,
    work: &Cell<usize>,
) -> Result<(), String> {
    let mut elaborator = Elaborator::new(sources, world, &project.modules);
    elaborator.network.open = true;
    let module = &project.modules[study.model_module];
    let mut frame = Frame::of(module);
    let refused = || format!("there is no model called `{}`", study.model);
    let model = module.model(&study.model).ok_or_else(refused)?;
    // What is wrong beyond the input is found when the network is made.
    let _ = elaborator.declare(model, study.given.clone(), &mut frame, size, |statement| {
        matches!(statement, StatementKind::Input { .. })
    });
    work.set(work.get() + elaborator.steps());
    match elaborator.found.errors.first() {
        None => Ok(()),
        Some(error) => Err(error.message.clone()),
    }
}

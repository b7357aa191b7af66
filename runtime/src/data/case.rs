//! A case of any source: its name and how it is read.

use super::error::DataError;
use super::kits19::{self, CaseFiles};
use super::phantom;
use super::volume::{Labels, Volume};
use hqcc_compiler::experiment::{Cases, Phantom, Source};

/// One case, not read yet.
#[derive(Clone, Debug)]
pub enum Case<'a> {
    /// Two files.
    Files(CaseFiles),
    /// Generated: the settings and the number.
    Phantom(&'a Phantom, u32),
}

impl Case<'_> {
    /// The cases of a split, in their order.
    ///
    /// # Errors
    /// `NoRoot`, and what [`kits19::find`] says.
    pub fn of<'a>(
        source: &'a Source,
        cases: &Cases,
        split: &'static str,
    ) -> Result<Vec<Case<'a>>, DataError> {
        match source {
            Source::Kits19(settings) => {
                let root = settings.root.as_ref().ok_or(DataError::NoRoot)?;
                let files = kits19::find(root, cases, split)?;
                Ok(files.into_iter().map(Case::Files).collect())
            }
            Source::Phantom(settings) => {
                let case = |number| Case::Phantom(settings, number);
                Ok(cases.iter().map(case).collect())
            }
        }
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        match self {
            Case::Files(files) => files.case,
            Case::Phantom(_, number) => *number,
        }
    }

    /// Its image and its labels.
    ///
    /// # Errors
    /// What [`kits19::read`] says.
    pub fn read(&self) -> Result<(Volume, Labels), DataError> {
        match self {
            Case::Files(files) => kits19::read(files),
            Case::Phantom(settings, number) => Ok(phantom::generate(settings, *number)),
        }
    }
}

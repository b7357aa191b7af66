//! What the tests share.

pub mod digest;
pub mod machine;
pub mod networks;
pub mod tolerance;

use std::fmt::Display;
use std::io::Write;

/// Says that the case running on this thread was skipped, and why. The line reaches the terminal even where the
/// test harness keeps the output of a passing case to itself.
pub fn skip(why: impl Display) {
    let thread = std::thread::current();
    let case = thread.name().unwrap_or("a case");
    // A terminal that is gone is no reason to fail.
    let _ = writeln!(std::io::stderr(), "skipped {case}: {why}");
}

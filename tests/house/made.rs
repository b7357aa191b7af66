//! Made-up sources: what the check of arrows must find, and what it must leave alone.

use crate::arrows::{Arrows, arrows};
use crate::order::{circular, upward};
use crate::tree::{Crate, Files};

/// The crate `made` of these files.
fn made(files: &[(&str, &str)]) -> Crate {
    let files: Files = files
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    Crate::read("made", "made/src", "lib.rs", &files)
}

fn found(files: &[(&str, &str)]) -> Arrows {
    arrows(&[made(files)])
}

/// The arrows as `from -> to`, without folder and extension.
fn drawn(arrows: &Arrows) -> Vec<String> {
    let short = |file: &str| {
        file.trim_start_matches("made/src/")
            .trim_end_matches(".rs")
            .to_owned()
    };
    arrows
        .keys()
        .map(|(from, to)| format!("{} -> {}", short(from), short(to)))
        .collect()
}

const ORDER: &[&str] = &["made/lib", "made/high", "made/left made/right", "made/low"];

#[test]
fn an_arrow_upward_is_found_with_its_line() {
    let files = [
        ("lib.rs", "mod high; mod low;"),
        ("high.rs", "use crate::low::Low;\npub struct High(Low);"),
        ("low.rs", "pub struct Low;"),
    ];
    assert_eq!(upward(ORDER, &found(&files)), Vec::<String>::new());
    let mut files = files;
    files[2].1 = "pub struct Low;\n\nfn up() -> crate::high::High { todo!() }";
    assert_eq!(
        upward(ORDER, &found(&files)),
        ["made/src/low.rs:3 names `crate::high::High` of made/src/high.rs, which is not below it"]
    );
}

#[test]
fn entries_of_one_level_do_not_know_each_other() {
    let files = [
        ("lib.rs", "mod left; mod right;"),
        ("left.rs", "use super::right::right;"),
        ("right.rs", "pub fn right() {}"),
    ];
    assert_eq!(upward(ORDER, &found(&files)).len(), 1);
}

#[test]
fn a_file_without_a_place_is_a_fault() {
    let files = [
        ("lib.rs", "mod new; mod low;"),
        ("new.rs", "use crate::low::Low;"),
        ("low.rs", "pub struct Low;"),
    ];
    assert_eq!(
        upward(ORDER, &found(&files)),
        ["made/src/new.rs has no place in the order"]
    );
}

#[test]
fn a_circle_is_found_with_all_its_lines() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::c::C; pub struct B;"),
        ("c.rs", "\nfn c(_: super::a::A) {} pub struct C;"),
        ("d.rs", "use crate::a::A;"),
    ];
    let arrows = found(&files);
    let faults = circular(&arrows, &[]);
    assert_eq!(faults.len(), 1, "{faults:?}");
    for part in [
        "3 files",
        "a.rs:1 names `crate::b::B`",
        "b.rs:1",
        "c.rs:2 names `super::a::A`",
    ] {
        assert!(faults[0].contains(part), "{part}: {}", faults[0]);
    }
    assert!(!faults[0].contains("d.rs"), "{}", faults[0]);
}

#[test]
fn a_known_circle_passes_until_it_grows_or_is_gone() {
    let known: &[&[&str]] = &[&["made/src/a.rs", "made/src/b.rs"]];
    let mut files = vec![
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A;"),
        ("b.rs", "use crate::a::A; pub struct B;"),
    ];
    assert!(circular(&found(&files), known).is_empty());
    files[2].1 = "use crate::a::A; use crate::c::C; pub struct B;";
    files[0].1 = "mod a; mod b; mod c;";
    files.push(("c.rs", "use crate::b::B; pub struct C;"));
    assert_eq!(circular(&found(&files), known).len(), 2);
    files[0].1 = "mod a; mod b;";
    files[2].1 = "pub struct B;";
    files.pop();
    let faults = circular(&found(&files), known);
    assert!(faults[0].contains("no circle any more"), "{faults:?}");
}

#[test]
fn a_reexport_leads_to_the_file_that_defines() {
    let files = [
        ("lib.rs", "mod group; mod user; pub use group::Inner;"),
        (
            "group/mod.rs",
            "mod inner; mod other; pub use inner::{Inner, Named as Other};",
        ),
        ("group/inner.rs", "pub struct Inner; pub struct Named;"),
        ("group/other.rs", "pub fn other(_: super::Inner) {}"),
        (
            "user.rs",
            "use crate::group::{self, Other}; fn f(_: group::Inner, _: crate::Inner) {}",
        ),
    ];
    assert_eq!(
        drawn(&found(&files)),
        ["group/other -> group/inner", "user -> group/inner"]
    );
}

#[test]
fn a_reexport_that_its_own_file_reads_is_an_arrow() {
    let files = [
        ("lib.rs", "mod group;"),
        (
            "group/mod.rs",
            "mod inner; pub use inner::Inner; pub struct Outer(Inner);",
        ),
        ("group/inner.rs", "use super::Outer; pub struct Inner;"),
    ];
    assert_eq!(circular(&found(&files), &[]).len(), 1);
}

#[test]
fn paths_in_code_count_as_use_lines_do() {
    let low = "pub enum Low { A } pub fn low() {} pub mod deep { pub const X: u8 = 1; }";
    for code in [
        "fn f() { crate::low::low() }",
        "fn f() { super::low::Low::A; }",
        "use crate::low; fn f() { low::low() }",
        "use crate::low as renamed; fn f() { renamed::low() }",
        "fn f() { use crate::low::*; low() }",
        "fn f() -> Vec<crate::low::Low> { vec![crate::low::Low::A] }",
        "macro_rules! m { () => { $crate::low::low() } }",
        "macro_rules! m { ($n:ident) => { mod $n { use super::super::low::low; } } }",
        "mod inside { use super::super::low::Low; }",
        "const X: u8 = crate::low::deep::X;",
        "pub use crate::low::Low; fn f(_: Low) {}",
        "impl crate::low::Low { }",
    ] {
        let files = [
            ("lib.rs", "mod high; mod low;"),
            ("high.rs", code),
            ("low.rs", low),
        ];
        assert_eq!(drawn(&found(&files)), ["high -> low"], "{code}");
    }
}

#[test]
fn what_names_nothing_outside_is_no_arrow() {
    for code in [
        "pub use crate::low::Low;",
        "use std::fmt; fn f(_: fmt::Error) {}",
        "// use crate::low::Low;\n/// See [`crate::low::Low`].\nfn f() { \"crate::low::Low\"; }",
        "#[cfg(test)] mod tests { use crate::low::Low; }",
        "#[cfg(test)] use crate::low::Low;",
        "#[cfg(all(test, unix))] fn f() { crate::low::low() }",
        "fn f(x: X) { x.low(); x.low; }",
    ] {
        let files = [
            ("lib.rs", "mod high; mod low;"),
            ("high.rs", code),
            ("low.rs", "pub struct Low; pub fn low() {}"),
        ];
        assert_eq!(drawn(&found(&files)), Vec::<String>::new(), "{code}");
    }
}

#[test]
fn code_behind_a_test_module_still_counts() {
    let files = [
        ("lib.rs", "mod high; mod low;"),
        (
            "high.rs",
            "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::low::Low;",
        ),
        ("low.rs", "pub struct Low;"),
    ];
    assert_eq!(drawn(&found(&files)), ["high -> low"]);
}

#[test]
fn a_macro_of_the_root_leads_to_the_file_that_defines_it() {
    let files = [
        ("lib.rs", "mod high; mod low;"),
        ("high.rs", "use crate::made;"),
        ("low.rs", "#[macro_export]\nmacro_rules! made { () => {} }"),
    ];
    assert_eq!(drawn(&found(&files)), ["high -> low"]);
}

#[test]
fn arrows_lead_from_crate_to_crate() {
    let other = made(&[
        ("lib.rs", "mod low; pub use low::Low;"),
        ("low.rs", "pub struct Low;"),
    ]);
    let files = [("lib.rs".to_owned(), "use made::Low;".to_owned())];
    let user = Crate::read("user", "user/src", "lib.rs", &files.into());
    let arrows = arrows(&[other, user]);
    let ends: Vec<_> = arrows.keys().map(|(a, b)| format!("{a} -> {b}")).collect();
    assert_eq!(ends, ["user/src/lib.rs -> made/src/low.rs"]);
}

//! The language as text: what parses, to which tree, and that printing loses nothing.

use hqcc_compiler::diagnostic::{Diagnostic, render_all};
use hqcc_compiler::syntax::ast::*;
use hqcc_compiler::syntax::span::{MemoryWorld, Sources, Span, World, standard};
use hqcc_compiler::syntax::{self, parse, parse_setting, print};
use proptest::prelude::*;
use serde_json::Value;

const QUNET: &str = include_str!("sources/qunet.hqc");
const EVERYTHING: &str = include_str!("sources/everything.hqc");

fn read(text: &str) -> (File, Vec<Diagnostic>, Sources) {
    let mut sources = Sources::default();
    let file = sources.add("test.hqc", text);
    let (tree, errors) = parse(&sources, file);
    (tree, errors, sources)
}

fn read_sound(text: &str) -> File {
    let (tree, errors, _) = read(text);
    assert!(errors.is_empty(), "{errors:?}");
    tree
}

/// The tree without spans, and without the comments where only the items matter.
fn bare(tree: &File) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|key, _| key != "span" && key != "path_span" && key != "comments");
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(tree).expect("a tree is plain data");
    strip(&mut value);
    value
}

fn format(text: &str) -> String {
    syntax::format("test.hqc", text).unwrap_or_else(|e| panic!("{}", render_all(&e)))
}

#[test]
fn trees_of_the_examples() {
    insta::assert_snapshot!("qunet_tree", tree_text(&bare(&read_sound(QUNET)), 0));
    insta::assert_snapshot!(
        "everything_tree",
        tree_text(&bare(&read_sound(EVERYTHING)), 0)
    );
}

/// JSON with everything short on one line, so that a snapshot can be read.
fn tree_text(value: &Value, indent: usize) -> String {
    let flat = value.to_string();
    if flat.len() + indent <= 110 {
        return flat;
    }
    let pad = " ".repeat(indent + 2);
    let close = " ".repeat(indent);
    match value {
        Value::Array(values) => {
            let parts = values
                .iter()
                .map(|v| pad.clone() + &tree_text(v, indent + 2));
            format!("[\n{}\n{close}]", parts.collect::<Vec<_>>().join(",\n"))
        }
        Value::Object(fields) => {
            let parts = fields
                .iter()
                .map(|(k, v)| format!("{pad}{k}: {}", tree_text(v, indent + 2)));
            format!("{{\n{}\n{close}}}", parts.collect::<Vec<_>>().join(",\n"))
        }
        _ => flat,
    }
}

#[test]
fn formatted_examples() {
    insta::assert_snapshot!("qunet_formatted", format(QUNET));
    insta::assert_snapshot!("everything_formatted", format(EVERYTHING));
}

#[test]
fn formatting_changes_no_tree_and_settles_at_once() {
    for text in [QUNET, EVERYTHING] {
        let once = format(text);
        assert_eq!(bare(&read_sound(text)), bare(&read_sound(&once)));
        assert_eq!(format(&once), once);
        let comments = |text: &str| {
            let tree = read_sound(text);
            let mut found: Vec<_> = tree.comments.into_iter().map(|c| c.text).collect();
            found.sort();
            found
        };
        assert_eq!(comments(text), comments(&once));
    }
}

#[test]
fn spans_cover_what_they_name() {
    let (tree, _, sources) = read("let a = b.c(1) + d[2] # note\nlet e = 3");
    let Item::Let(first) = &tree.items[0] else {
        panic!("a binding")
    };
    assert_eq!(sources.slice(first.span), "let a = b.c(1) + d[2]");
    let ExprKind::Binary(_, left, right) = &first.value.kind else {
        panic!("a sum")
    };
    assert_eq!(sources.slice(left.span), "b.c(1)");
    assert_eq!(sources.slice(right.span), "d[2]");
}

#[test]
fn every_broken_item_is_reported() {
    let text = "let a = \nmodel M { x = conv(y,, 3) }\nlet good = 1\ntrain { epochs = = 2 }\n";
    let (tree, errors, _) = read(text);
    assert_eq!(errors.len(), 3);
    assert_eq!(tree.items.len(), 1);
}

#[test]
fn settings_from_the_command_line() {
    let mut sources = Sources::default();
    let mut read = |text: &str| {
        parse_setting(&mut sources, text, &|key| {
            (key.last()?.name == "root").then_some(&["none"][..])
        })
    };
    let entry = read("train.epochs=5").expect("a setting");
    assert_eq!(entry.key.len(), 2);
    assert_eq!(entry.value.kind, ExprKind::Int(5));
    for (text, path) in [
        ("data.root=../kits", "../kits"),
        ("data.root= a (b ", "a (b"),
        ("data.root=12", "12"),
        ("data.root=\"a b\"", "a b"),
    ] {
        let value = read(text).expect("a path").value;
        assert_eq!(value.kind, ExprKind::Str(path.to_owned()), "{text}");
    }
    let none = read("data.root=none").expect("a word").value;
    assert_eq!(none.kind, ExprKind::Name("none".to_owned()));
    let call = read("data.root=env(\"KITS\")").expect("a call").value;
    assert!(matches!(call.kind, ExprKind::Call(..)));
    for wrong in [
        "train.epochs",
        "train.epochs=",
        "=5",
        "a=[1, (2]",
        "train.epochs=../kits",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    let span = entry.value.span;
    assert_eq!(sources.name(span.file), "<-s train.epochs=5>");
    assert_eq!(sources.slice(span), "5");
}

#[test]
fn deep_and_long_texts_end_in_errors() {
    let deep = [
        "(".repeat(100_000),
        format!("let a = {}1{}", "(".repeat(5000), ")".repeat(5000)),
        format!("let a = {}1", "-".repeat(100_000)),
        format!("let a = 1{}", " ^ 1".repeat(100_000)),
        format!("let a = x{}", ".y".repeat(100_000)),
        format!("let a = x{}", "[0]".repeat(10_000)),
        format!("model M {{ x{} = 1 }}", "[0]".repeat(10_000)),
        format!("model M {{ {} }}", "if a { } else ".repeat(10_000)),
        format!("model M {{ if a {{}} {} }}", "else if a {} ".repeat(10_000)),
        format!(
            "circuit C {{ {}{} }}",
            "repeat 2 { ".repeat(999),
            "} ".repeat(999)
        ),
        format!("train {{ {} = 1 }}", "a.".repeat(50_000) + "b"),
        "let a = ".repeat(20_000),
        "x".repeat(2 << 20),
    ];
    for text in deep {
        let (_, errors, _) = read(&text);
        assert!(!errors.is_empty(), "{}", &text[..40]);
    }
    // The deepest that is allowed must fit on a small stack.
    let deepest = format!("let a = {}1{}", "f(".repeat(48), ")".repeat(48));
    let small = std::thread::Builder::new().stack_size(1 << 20);
    let parsed = small.spawn(move || read(&deepest).1.is_empty());
    assert!(parsed.expect("a thread").join().expect("no overflow"));
}

#[test]
fn models_are_laid_out_canonically() {
    let models = hqcc_tests::networks::files();
    let standard_files = hqcc_compiler::syntax::span::standard_files();
    let standard = standard_files.filter_map(|name| Some((name.to_owned(), standard(name)?)));
    let standard = standard.map(|(name, text)| (name, text.to_owned()));
    for (name, text) in models.into_iter().chain(standard) {
        assert_eq!(format(&text), text, "{name}");
    }
}

#[test]
fn standard_files_parse() {
    for name in hqcc_compiler::syntax::span::standard_files() {
        read_sound(standard(name).expect("listed"));
    }
    assert!(MemoryWorld::default().read("absent.hqc").is_err());
}

fn expr(kind: ExprKind) -> Expr {
    let span = Span::default();
    Expr { kind, span }
}

fn ident(name: String) -> Ident {
    let span = Span::default();
    Ident { name, span }
}

fn names() -> impl Strategy<Value = String> {
    "[a-d][a-z0-9_]{0,3}".prop_filter("reserved", |name| {
        !["as", "and", "data"].contains(&name.as_str())
    })
}

fn expressions() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        (0..i64::MAX).prop_map(ExprKind::Int),
        (0.0..1e9f64).prop_map(ExprKind::Float),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(|x| ExprKind::Float(x.abs())),
        any::<bool>().prop_map(ExprKind::Bool),
        "[ -~\\n\\té]{0,8}".prop_map(ExprKind::Str),
        names().prop_map(ExprKind::Name),
    ]
    .prop_map(expr);
    leaf.prop_recursive(5, 40, 4, |inner| {
        let named = (proptest::option::of(names()), inner.clone()).prop_map(|(name, value)| {
            let name = name.map(ident);
            Argument { name, value }
        });
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            (boxed.clone(), names()).prop_map(|(e, n)| ExprKind::Member(e, ident(n))),
            (boxed.clone(), boxed.clone()).prop_map(|(e, i)| ExprKind::Index(e, i)),
            (boxed.clone(), prop::collection::vec(named, 0..3))
                .prop_map(|(e, a)| ExprKind::Call(e, a)),
            prop::collection::vec(inner.clone(), 0..4).prop_map(ExprKind::List),
            (any::<bool>(), boxed.clone()).prop_map(|(not, e)| {
                let op = if not { UnaryOp::Not } else { UnaryOp::Negate };
                ExprKind::Unary(op, e)
            }),
            (0..14usize, boxed.clone(), boxed.clone()).prop_map(|(op, a, b)| ExprKind::Binary(
                BinaryOp::ALL[op],
                a,
                b
            )),
            (boxed.clone(), boxed.clone(), any::<bool>()).prop_map(|(from, to, inclusive)| {
                ExprKind::Range {
                    from,
                    to,
                    inclusive,
                }
            }),
            (inner.clone(), inner.clone(), boxed).prop_map(|(a, b, otherwise)| ExprKind::If {
                branches: vec![(a, b)],
                otherwise
            }),
        ]
        .prop_map(expr)
    })
}

fn bodies() -> impl Strategy<Value = Body> {
    let leaf = prop_oneof![
        (names(), expressions()).prop_map(|(name, value)| {
            let target = Target {
                name: ident(name),
                indices: vec![expr(ExprKind::Int(1))],
                span: Span::default(),
            };
            StatementKind::Assign {
                targets: vec![target],
                value,
            }
        }),
        expressions().prop_map(|value| StatementKind::Return(vec![value])),
        expressions().prop_map(|value| StatementKind::Output(vec![value])),
    ];
    fn body(kinds: Vec<StatementKind>) -> Body {
        let statement = |kind| Statement {
            annotations: Vec::new(),
            kind,
            span: Span::default(),
        };
        Body {
            statements: kinds.into_iter().map(statement).collect(),
            span: Span::default(),
        }
    }
    let nested = leaf.prop_recursive(2, 8, 3, |inner| {
        let inner = prop::collection::vec(inner, 0..3).prop_map(body);
        prop_oneof![
            (names(), expressions(), inner.clone()).prop_map(|(name, over, body)| {
                StatementKind::Repeat {
                    counter: ident(name),
                    over,
                    body,
                }
            }),
            (expressions(), inner.clone(), proptest::option::of(inner)).prop_map(
                |(condition, body, otherwise)| StatementKind::If {
                    branches: vec![(condition, body)],
                    otherwise
                }
            ),
        ]
    });
    prop::collection::vec(nested, 0..4).prop_map(body)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn parse_of_print_is_identity(body in bodies()) {
        let function = Function {
            name: ident("M".to_owned()),
            parameters: Vec::new(),
            body,
            span: Span::default(),
        };
        let tree = File { items: vec![Item::Model(function)], comments: Vec::new() };
        let text = print(&tree);
        let (read, errors, _) = read(&text);
        prop_assert!(errors.is_empty(), "{}{:?}", text, errors);
        prop_assert_eq!(bare(&tree), bare(&read), "{}", text);
        let formatted = format(&text);
        prop_assert_eq!(bare(&tree), bare(&read_sound(&formatted)));
        prop_assert_eq!(&format(&formatted), &formatted);
    }

    #[test]
    fn no_text_panics(text in "[ -~\\n]{0,200}") {
        read(&text);
    }
}

//! The syntax tree of a `.hqc` file. Every node has its span; comments are kept beside the items.

use serde::Serialize;

use super::span::Span;

/// A name as written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ident {
    /// The name.
    pub name: String,
    /// Its place.
    pub span: Span,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct File {
    /// The items in source order.
    pub items: Vec<Item>,
    /// All comments in source order.
    pub comments: Vec<Comment>,
}

/// `# text` up to the end of its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comment {
    /// The text after `#`, without the blanks at its end.
    pub text: String,
    /// From `#` to the end of the text.
    pub span: Span,
}

/// A top-level item.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Item {
    /// `import "unet.hqc" as unet`
    Import(Import),
    /// `let base = 64`
    Let(Let),
    /// `block double(x, channels) { ... }`
    Block(Function),
    /// `model UNet(base = 64) { ... }`
    Model(Function),
    /// `circuit hqc_tf { ... }`
    Circuit(Circuit),
    /// `rewrite Tuned { ... }`
    Rewrite(Rewrite),
    /// `names PyTorch { ... }`
    Names(Names),
    /// `data kidney = kits19 { ... }`
    Data(Data),
    /// `train { ... }`
    Section(Section),
}

impl Item {
    /// The place of the item.
    pub fn span(&self) -> Span {
        match self {
            Item::Import(item) => item.span,
            Item::Let(item) => item.span,
            Item::Block(item) | Item::Model(item) => item.span,
            Item::Circuit(item) => item.span,
            Item::Rewrite(item) => item.span,
            Item::Names(item) => item.span,
            Item::Data(item) => item.span,
            Item::Section(item) => item.span,
        }
    }
}

/// `import "path" as name`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Import {
    /// The path as written, escapes resolved.
    pub path: String,
    /// The place of the path.
    pub path_span: Span,
    /// The name of the imported file in this one.
    pub name: Ident,
    /// The whole item.
    pub span: Span,
}

/// `let name = value`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Let {
    /// The name.
    pub name: Ident,
    /// Its value.
    pub value: Expr,
    /// The whole item.
    pub span: Span,
}

/// A `block` or a `model`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Function {
    /// Its name.
    pub name: Ident,
    /// Parameters: those without a default are given by position, those with one by name.
    pub parameters: Vec<Parameter>,
    /// What it does.
    pub body: Body,
    /// The whole item.
    pub span: Span,
}

/// A parameter of a block or a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: Ident,
    /// Its default, if it has one.
    pub default: Option<Expr>,
}

/// Statements between braces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Body {
    /// The statements.
    pub statements: Vec<Statement>,
    /// From brace to brace.
    pub span: Span,
}

/// A statement and the annotations above it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statement {
    /// `@qpg(...)`, in source order.
    pub annotations: Vec<Method>,
    /// What it does.
    pub kind: StatementKind,
    /// With its annotations.
    pub span: Span,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum StatementKind {
    /// `input ct: [1, H, W] where H % 16 == 0`
    Input {
        /// The tensor's name.
        name: Ident,
        /// Channels, height and width; an unknown name is bound to the size that the data gives.
        shape: Vec<Expr>,
        /// Conditions on the sizes.
        conditions: Vec<Expr>,
    },
    /// `output head`
    Output(Vec<Expr>),
    /// `return y`
    Return(Vec<Expr>),
    /// `repeat i in 1 to 4 { ... }`
    Repeat {
        /// The counter.
        counter: Ident,
        /// What it runs over.
        over: Expr,
        /// What is repeated.
        body: Body,
    },
    /// `if bilinear { ... } else { ... }`
    If {
        /// Conditions, each with the body for when it is the first to hold.
        branches: Vec<(Expr, Body)>,
        /// What follows when none holds.
        otherwise: Option<Body>,
    },
    /// `e[i] = b.double(...)`
    Assign {
        /// The names bound; several take the several results of a call apart.
        targets: Vec<Target>,
        /// What they are bound to.
        value: Expr,
    },
}

/// The left side of an assignment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Target {
    /// The name.
    pub name: Ident,
    /// The indices behind it.
    pub indices: Vec<Expr>,
    /// Name and indices.
    pub span: Span,
}

/// `name(arguments)`: an annotation, the right side of a rule, a gate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Method {
    /// Its name.
    pub name: Ident,
    /// What it is given.
    pub arguments: Vec<Argument>,
    /// Name and arguments.
    pub span: Span,
}

/// `circuit name { steps }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Circuit {
    /// Its name.
    pub name: Ident,
    /// Its steps.
    pub steps: Vec<CircuitStep>,
    /// The whole item.
    pub span: Span,
}

/// A step of a circuit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum CircuitStep {
    /// `ry(all)`
    Gate(Method),
    /// `repeat blocks { ... }`
    Repeat {
        /// How often.
        count: Expr,
        /// What is repeated.
        steps: Vec<CircuitStep>,
        /// The whole step.
        span: Span,
    },
}

impl CircuitStep {
    /// The place of the step.
    pub fn span(&self) -> Span {
        match self {
            CircuitStep::Gate(gate) => gate.span,
            CircuitStep::Repeat { span, .. } => *span,
        }
    }
}

/// `rewrite name { rules }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rewrite {
    /// Its name.
    pub name: Ident,
    /// Its rules.
    pub rules: Vec<Rule>,
    /// The whole item.
    pub span: Span,
}

/// A rule of a rewrite.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rule {
    /// The paths it is about: `encoder.**`.
    pub path: Ident,
    /// What is done to them: `freeze`, or the right side of the arrow.
    pub method: Method,
    /// The whole rule.
    pub span: Span,
}

/// `names name(settings) { rules }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Names {
    /// Its name.
    pub name: Ident,
    /// Its settings.
    pub settings: Vec<Argument>,
    /// Its rules.
    pub rules: Vec<NameRule>,
    /// The whole item.
    pub span: Span,
}

/// `foreign.name => here.path as change(settings)`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NameRule {
    /// The names in the file, escapes resolved.
    pub foreign: Ident,
    /// The paths here, or `none`.
    pub here: Ident,
    /// What is done to the values.
    pub change: Option<Method>,
    /// The whole rule.
    pub span: Span,
}

/// `data name = source { settings }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    /// Its name.
    pub name: Ident,
    /// The kind of source: `kits19`, or `phantom`.
    pub source: Ident,
    /// Its settings.
    pub entries: Vec<Entry>,
    /// The whole item.
    pub span: Span,
}

/// `train { settings }`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// `train`, `predict` or `sweep`.
    pub kind: Ident,
    /// Its settings.
    pub entries: Vec<Entry>,
    /// The whole item.
    pub span: Span,
}

/// `key = value`
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// The words of the key, between dots.
    pub key: Vec<Ident>,
    /// The value.
    pub value: Expr,
    /// The whole entry.
    pub span: Span,
}

/// An argument of a call: by position, or `name = value`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Argument {
    /// The setting's name, if given by name.
    pub name: Option<Ident>,
    /// The value.
    pub value: Expr,
}

/// An expression.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its place.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum ExprKind {
    /// `64`
    Int(i64),
    /// `1e-3`
    Float(f64),
    /// `true`
    Bool(bool),
    /// `"path"`, escapes resolved.
    Str(String),
    /// `base`
    Name(String),
    /// `unet.UNet`
    Member(Box<Expr>, Ident),
    /// `e[i]`
    Index(Box<Expr>, Box<Expr>),
    /// `conv(x, 64, k = 3)`
    Call(Box<Expr>, Vec<Argument>),
    /// `[1, 2]`
    List(Vec<Expr>),
    /// `-x`, `not x`
    Unary(UnaryOp, Box<Expr>),
    /// `a + b`
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `a to b` if inclusive, else `a..b`
    Range {
        /// The first value.
        from: Box<Expr>,
        /// The last one, or one past it.
        to: Box<Expr>,
        /// Whether `to` belongs to it.
        inclusive: bool,
    },
    /// `if a { x } else if b { y } else { z }`
    If {
        /// Conditions and values.
        branches: Vec<(Expr, Expr)>,
        /// The value where no condition holds.
        otherwise: Box<Expr>,
    },
}

/// An operator before its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum UnaryOp {
    /// `-`
    Negate,
    /// `not`
    Not,
}

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `^`
    Power,
}

impl BinaryOp {
    /// Every operator.
    pub const ALL: [BinaryOp; 14] = [
        BinaryOp::Or,
        BinaryOp::And,
        BinaryOp::Equal,
        BinaryOp::NotEqual,
        BinaryOp::Less,
        BinaryOp::LessEqual,
        BinaryOp::Greater,
        BinaryOp::GreaterEqual,
        BinaryOp::Add,
        BinaryOp::Subtract,
        BinaryOp::Multiply,
        BinaryOp::Divide,
        BinaryOp::Remainder,
        BinaryOp::Power,
    ];

    /// How it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Or => "or",
            BinaryOp::And => "and",
            BinaryOp::Equal => "==",
            BinaryOp::NotEqual => "!=",
            BinaryOp::Less => "<",
            BinaryOp::LessEqual => "<=",
            BinaryOp::Greater => ">",
            BinaryOp::GreaterEqual => ">=",
            BinaryOp::Add => "+",
            BinaryOp::Subtract => "-",
            BinaryOp::Multiply => "*",
            BinaryOp::Divide => "/",
            BinaryOp::Remainder => "%",
            BinaryOp::Power => "^",
        }
    }

    /// How tightly it binds; a greater number binds tighter.
    pub fn precedence(self) -> u8 {
        match self {
            BinaryOp::Or => 1,
            BinaryOp::And => 2,
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::Less
            | BinaryOp::LessEqual
            | BinaryOp::Greater
            | BinaryOp::GreaterEqual => 4,
            BinaryOp::Add | BinaryOp::Subtract => 5,
            BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => 6,
            BinaryOp::Power => 8,
        }
    }
}

impl UnaryOp {
    /// How tightly it binds, on the scale of [`BinaryOp::precedence`]: `-a^2` is `-(a^2)`,
    /// `not a == b` is `not (a == b)`.
    pub fn precedence(self) -> u8 {
        match self {
            UnaryOp::Not => 3,
            UnaryOp::Negate => 7,
        }
    }
}

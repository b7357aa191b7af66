//! The modules of a crate, read from its files: what each one defines, imports and names.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The sources of a crate by path below its `src`, so that a test can make some up.
pub type Files = BTreeMap<String, String>;

/// A path that code names: `crate::graph::Graph`.
#[derive(Clone, Debug)]
pub struct Named {
    pub segments: Vec<String>,
    pub line: usize,
}

/// One name that a `use` line brings in.
#[derive(Clone, Debug)]
pub struct Use {
    pub path: Named,
    /// The name inside the module; `None` for everything (`*`).
    pub alias: Option<String>,
    /// Whether others see it here (`pub use`).
    pub public: bool,
}

/// A module: a file, or a `mod name { .. }` in one.
#[derive(Debug, Default)]
pub struct Module {
    pub parent: Option<usize>,
    pub file: String,
    pub children: BTreeMap<String, usize>,
    pub items: BTreeSet<String>,
    pub uses: Vec<Use>,
    pub paths: Vec<Named>,
    /// Names that the code mentions outside `use` lines, with the first line of each; macros with their `!` as well.
    pub words: BTreeMap<String, usize>,
    /// Strings in the code, with their lines.
    pub texts: Vec<(String, usize)>,
}

/// All modules of a crate; the first one is its root. Code that only tests compile is left out.
#[derive(Debug, Default)]
pub struct Crate {
    /// Its name in paths.
    pub name: String,
    /// The folder of its sources.
    pub folder: String,
    pub modules: Vec<Module>,
    /// Macros that `#[macro_export]` puts into the root, with their file.
    pub macros: BTreeMap<String, String>,
}

impl Crate {
    /// Reads a crate from its root file, which lies in `folder` as all of `files` do.
    pub fn read(name: &str, folder: &str, root: &str, files: &Files) -> Self {
        let mut read = Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
            ..Self::default()
        };
        read.file(None, root.to_owned(), root, files);
        read
    }

    /// Adds the module of a file; `folder` is the file that its children lie beside or below.
    fn file(&mut self, parent: Option<usize>, file: String, root: &str, files: &Files) -> usize {
        let text = files
            .get(&file)
            .unwrap_or_else(|| panic!("there is no {file}"));
        let stream: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let below = match file.rsplit_once('/') {
            Some((folder, "mod.rs")) => format!("{folder}/"),
            _ if file == root => file
                .rsplit_once('/')
                .map_or_else(String::new, |(folder, _)| format!("{folder}/")),
            _ => format!("{}/", file.trim_end_matches(".rs")),
        };
        let at = self.module(parent, &file);
        let tokens: Vec<_> = stream.into_iter().collect();
        Reader {
            read: self,
            files,
            root,
        }
        .walk(at, &below, &tokens, true);
        at
    }

    fn module(&mut self, parent: Option<usize>, file: &str) -> usize {
        self.modules.push(Module {
            parent,
            file: file.to_owned(),
            ..Module::default()
        });
        self.modules.len() - 1
    }
}

struct Reader<'r> {
    read: &'r mut Crate,
    files: &'r Files,
    root: &'r str,
}

/// Keywords after which a module's own name stands.
const DEFINES: &[&str] = &["fn", "struct", "trait", "type", "const", "static", "union"];

impl Reader<'_> {
    /// Reads tokens of the module `at`, whose child files lie in the folder `below`. `top` is false inside braces.
    fn walk(&mut self, at: usize, below: &str, tokens: &[TokenTree], top: bool) {
        let mut i = 0;
        let mut exported = false;
        while i < tokens.len() {
            if let Some(attribute) = attribute(tokens, i) {
                if is_test(&attribute) {
                    i = after_item(tokens, i);
                    continue;
                }
                exported |= attribute.to_string().contains("macro_export");
            }
            if let TokenTree::Literal(literal) = &tokens[i] {
                let text = literal.to_string();
                if let Some(text) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) {
                    let line = literal.span().start().line;
                    self.read.modules[at].texts.push((text.to_owned(), line));
                }
            }
            if let TokenTree::Group(group) = &tokens[i] {
                let inner: Vec<_> = group.stream().into_iter().collect();
                self.walk(at, below, &inner, false);
                i += 1;
                continue;
            }
            let Some(word) = ident(tokens.get(i)) else {
                i += 1;
                continue;
            };
            let line = tokens[i].span().start().line;
            let next = ident(tokens.get(i + 1));
            match word.as_str() {
                "use" if !is_punct(tokens.get(i + 1), '<') => {
                    let public = is_public(tokens, i);
                    let end = (i..tokens.len())
                        .find(|&end| is_punct(tokens.get(end), ';'))
                        .unwrap_or(tokens.len());
                    let mut found = Vec::new();
                    use_tree(&tokens[i + 1..end], &[], &mut found);
                    let uses = found.into_iter().map(|(segments, alias)| Use {
                        path: Named { segments, line },
                        alias,
                        public,
                    });
                    self.read.modules[at].uses.extend(uses);
                    i = end + 1;
                }
                // In a macro, the name of a module may be a parameter: `mod $name { .. }`.
                "mod" if next.is_some() || is_punct(tokens.get(i + 1), '$') => {
                    i += usize::from(next.is_none());
                    let name = ident(tokens.get(i + 1)).unwrap_or_default();
                    let child = match tokens.get(i + 2) {
                        Some(TokenTree::Group(group)) => {
                            let file = self.read.modules[at].file.clone();
                            let child = self.read.module(Some(at), &file);
                            let inner: Vec<_> = group.stream().into_iter().collect();
                            self.walk(child, &format!("{below}{name}/"), &inner, true);
                            child
                        }
                        _ => {
                            let beside = format!("{below}{name}.rs");
                            let inside = format!("{below}{name}/mod.rs");
                            let file = if self.files.contains_key(&beside) {
                                beside
                            } else {
                                inside
                            };
                            self.read.file(Some(at), file, self.root, self.files)
                        }
                    };
                    self.read.modules[at].children.insert(name, child);
                    i += 3;
                }
                "macro_rules" => {
                    let name = ident(tokens.get(i + 2)).unwrap_or_default();
                    if std::mem::take(&mut exported) {
                        let file = self.read.modules[at].file.clone();
                        self.read.macros.insert(name.clone(), file);
                    }
                    self.read.modules[at].items.insert(name);
                    i += 3;
                }
                "enum" => {
                    let body =
                        (i..tokens.len()).find_map(|at| Some((at, braces(tokens.get(at)?)?)));
                    let (end, body) = body.unwrap_or_default();
                    self.walk(at, below, &without_variants(&body), false);
                    if top {
                        self.read.modules[at].items.extend(next);
                    }
                    i = end + 1;
                }
                define if top && DEFINES.contains(&define) && next.is_some() => {
                    let name = next.unwrap_or_default();
                    if !DEFINES.contains(&name.as_str()) {
                        self.read.modules[at].items.insert(name);
                        i += 1;
                    }
                    i += 1;
                }
                _ => {
                    let (segments, end) = path(tokens, i);
                    // After a dot it is a field or a method, whose type no `use` line tells.
                    if !is_punct(i.checked_sub(1).and_then(|before| tokens.get(before)), '.') {
                        let module = &mut self.read.modules[at];
                        if is_punct(tokens.get(end), '!') {
                            module.words.entry(format!("{word}!")).or_insert(line);
                        }
                        module.words.entry(word).or_insert(line);
                        if segments.len() > 1 {
                            module.paths.push(Named { segments, line });
                        }
                    }
                    i = end;
                }
            }
        }
    }
}

/// The tokens inside braces.
fn braces(token: &TokenTree) -> Option<Vec<TokenTree>> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            Some(group.stream().into_iter().collect())
        }
        _ => None,
    }
}

/// The body of an enum without the names of its variants, which name nothing outside.
fn without_variants(body: &[TokenTree]) -> Vec<TokenTree> {
    let parts = body.split(|token| is_punct(Some(token), ','));
    let kept = parts.flat_map(|part| {
        let mut name = 0;
        while attribute(part, name).is_some() {
            name += 2;
        }
        let kept = part.iter().enumerate().filter(move |(at, _)| *at != name);
        kept.map(|(_, token)| token.clone())
    });
    kept.collect()
}

fn ident(token: Option<&TokenTree>) -> Option<String> {
    match token {
        Some(TokenTree::Ident(ident)) => Some(ident.to_string()),
        _ => None,
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// The content of the attribute that begins at `i`.
fn attribute(tokens: &[TokenTree], i: usize) -> Option<TokenStream> {
    match (is_punct(tokens.get(i), '#'), tokens.get(i + 1)) {
        (true, Some(TokenTree::Group(group))) if group.delimiter() == Delimiter::Bracket => {
            Some(group.stream())
        }
        _ => None,
    }
}

/// Whether an attribute is `cfg(test)`, or a `cfg` of which `test` is a part that must hold.
fn is_test(attribute: &TokenStream) -> bool {
    let tokens: Vec<_> = attribute.clone().into_iter().collect();
    let (Some("cfg"), Some(TokenTree::Group(group))) =
        (ident(tokens.first()).as_deref(), tokens.get(1))
    else {
        return false;
    };
    let inner: Vec<_> = group.stream().into_iter().collect();
    let all = match (ident(inner.first()).as_deref(), inner.get(1)) {
        (Some("all"), Some(TokenTree::Group(group))) => group.stream().into_iter().collect(),
        _ => inner,
    };
    all.iter().enumerate().any(|(at, token)| {
        ident(Some(token)).as_deref() == Some("test") && !is_punct(all.get(at + 1), '=')
    })
}

/// The place behind the item whose attributes begin at `i`.
fn after_item(tokens: &[TokenTree], mut i: usize) -> usize {
    while attribute(tokens, i).is_some() {
        i += 2;
    }
    while let Some(token) = tokens.get(i) {
        i += 1;
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
            token if is_punct(Some(token), ';') => break,
            _ => {}
        }
    }
    i
}

/// Whether `pub`, perhaps with a range in parentheses, stands before the token at `i`.
fn is_public(tokens: &[TokenTree], i: usize) -> bool {
    let before = match i.checked_sub(1).and_then(|at| tokens.get(at)) {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => i - 1,
        _ => i,
    };
    ident(before.checked_sub(1).and_then(|at| tokens.get(at))).as_deref() == Some("pub")
}

fn is_colons(tokens: &[TokenTree], i: usize) -> bool {
    is_punct(tokens.get(i), ':') && is_punct(tokens.get(i + 1), ':')
}

/// The path that begins at `i`, and the place behind it.
fn path(tokens: &[TokenTree], mut i: usize) -> (Vec<String>, usize) {
    let mut segments: Vec<_> = ident(tokens.get(i)).into_iter().collect();
    i += 1;
    while is_colons(tokens, i) {
        let Some(next) = ident(tokens.get(i + 2)) else {
            break;
        };
        segments.push(next);
        i += 3;
    }
    (segments, i)
}

/// The names of a `use` line behind `prefix`: each with its whole path, and its name inside the module.
fn use_tree(
    tokens: &[TokenTree],
    prefix: &[String],
    found: &mut Vec<(Vec<String>, Option<String>)>,
) {
    for part in tokens.split(|token| is_punct(Some(token), ',')) {
        let mut segments = prefix.to_vec();
        let mut alias = None;
        let mut i = 0;
        while let Some(token) = part.get(i) {
            match token {
                TokenTree::Ident(word) if *word == "as" => {
                    alias = ident(part.get(i + 1));
                    i += 1;
                }
                TokenTree::Ident(word) => segments.push(word.to_string()),
                TokenTree::Group(group) => {
                    let inner: Vec<_> = group.stream().into_iter().collect();
                    use_tree(&inner, &segments, found);
                    segments.clear();
                }
                token if is_punct(Some(token), '*') => {
                    found.push((std::mem::take(&mut segments), None));
                }
                _ => {}
            }
            i += 1;
        }
        if segments.len() > 1 && segments.last().is_some_and(|last| last == "self") {
            segments.pop();
        }
        if let Some(last) = segments.last().cloned() {
            found.push((segments, Some(alias.unwrap_or(last))));
        }
    }
}

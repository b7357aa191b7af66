//! `hqcc explain`.

use clap::Args;
use hqcc_compiler::reference::{self, Explanation, SettingText};
use serde_json::json;

use super::Failure;
use super::args::{MessageArgs, print};
use super::messages::MessageFormat;
use crate::report::table::{Align, Table};

/// Say what a name of the language or the code of a message means.
///
/// Names are those of layers, rules, post-processings, gates, losses, optimisers and settings; a setting may be given with its
/// section. A code is what stands in the brackets of an error or a warning.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    hqcc explain conv\n  \
    hqcc explain data.window\n  \
    hqcc explain setting::range")]
pub struct Explain {
    /// The name or the code.
    name: String,
    #[command(flatten)]
    messages: MessageArgs,
}

impl Explain {
    /// Prints the explanation.
    pub fn run(self) -> Result<(), Failure> {
        // As printed in a message: `error[setting::range]`.
        let name = self
            .name
            .trim_start_matches("error")
            .trim_start_matches("warning");
        let name = name.trim_matches(['[', ']', '`']);
        let found = reference::explain(name);
        if found.is_empty() {
            let near = reference::nearest_name(name).unwrap_or_default();
            return Err(Failure::new(format!("nothing is called `{name}`; {near}")));
        }
        let texts: Vec<String> = match self.messages.message_format {
            MessageFormat::Human => found.iter().map(human).collect(),
            MessageFormat::Json => {
                let line = |found: &Explanation| {
                    let value = json!({ "reason": "explanation", "explanation": found });
                    format!("{value}\n")
                };
                found.iter().map(line).collect()
            }
        };
        let between = match self.messages.message_format {
            MessageFormat::Human => "\n",
            MessageFormat::Json => "",
        };
        print(&texts.join(between))
    }
}

fn human(found: &Explanation) -> String {
    let mut text = format!("{} ({})\n\n{}\n", found.name, found.kind, found.text);
    if !found.settings.is_empty() {
        text.push_str(&format!("\n{}", settings(&found.settings)));
    }
    if let Some(example) = &found.example {
        let lines = example.lines().map(|line| format!("    {line}\n"));
        text.push_str(&format!("\nFor example:\n\n{}", lines.collect::<String>()));
    }
    if let Some(remedy) = &found.remedy {
        text.push_str(&format!("\nRemedy: {remedy}\n"));
    }
    text
}

/// A line per setting.
pub fn settings(settings: &[SettingText]) -> Table {
    let heads = ["setting", "values", "default", "what it does"];
    let mut table = Table::new(heads.map(|head| (head, Align::Left)));
    for setting in settings {
        table.row([
            setting.name.to_owned(),
            setting.values.clone(),
            setting.default.clone().unwrap_or_else(|| "-".to_owned()),
            setting.doc.to_owned(),
        ]);
    }
    table
}

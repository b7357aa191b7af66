//! What a run keeps from its first step to its last, so that all its numbers belong to one experiment.

use hqcc_compiler::graph::Graph;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Settings that may change while a run is interrupted: how long it lasts, how often it saves, and where its files lie.
const FREE: [&str; 5] = [
    "train.epochs",
    "train.save_every",
    "train.metrics",
    "data.root",
    "data.cache",
];

/// The settings of a run and a digest of its network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Settings by section and name.
    pub settings: Value,
    /// BLAKE3 of the network after its rules, in hexadecimal.
    pub network: String,
}

impl Identity {
    /// The identity of a run of a network with these settings.
    ///
    /// # Errors
    /// The graph has a cycle.
    pub fn new(settings: Value, network: &Graph) -> Result<Identity, serde_json::Error> {
        let text = serde_json::to_string(network)?;
        Ok(Identity {
            settings,
            network: blake3::hash(text.as_bytes()).to_hex().to_string(),
        })
    }

    /// What differs from the beginning of the run and may not, a phrase each.
    pub fn changes(&self, now: &Identity) -> Vec<String> {
        let mut found = Vec::new();
        compare("", &self.settings, &now.settings, &mut found);
        if found.is_empty() && self.network != now.network {
            found.push("the network is another one".to_owned());
        }
        found
    }
}

/// Compares two settings, or two sections of them, called `path`.
fn compare(path: &str, then: &Value, now: &Value, found: &mut Vec<String>) {
    if then == now || FREE.contains(&path) {
        return;
    }
    if let (Value::Object(then), Value::Object(now)) = (then, now) {
        let added = now.keys().filter(|key| !then.contains_key(*key));
        for key in then.keys().chain(added) {
            let path = match path {
                "" => key.clone(),
                _ => format!("{path}.{key}"),
            };
            let [then, now] = [then, now].map(|side| side.get(key).unwrap_or(&Value::Null));
            compare(&path, then, now, found);
        }
        return;
    }
    found.push(format!("`{path}` was {then} and is {now}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn identity(settings: Value, network: &str) -> Identity {
        Identity {
            settings,
            network: network.to_owned(),
        }
    }

    #[test]
    fn changes_are_named_and_free_settings_are_not() {
        let then = json!({ "train": { "batch": 8, "epochs": 3 }, "data": { "mean": 3 } });
        let same = json!({ "train": { "batch": 8, "epochs": 9 }, "data": { "mean": 3 } });
        let other =
            json!({ "train": { "batch": 4, "epochs": 3 }, "data": { "mean": 3, "new": 1 } });
        let start = identity(then, "a");
        assert!(start.changes(&identity(same.clone(), "a")).is_empty());
        assert_eq!(
            start.changes(&identity(other, "b")),
            [
                "`train.batch` was 8 and is 4",
                "`data.new` was null and is 1"
            ]
        );
        assert_eq!(
            start.changes(&identity(same, "b")),
            ["the network is another one"]
        );
    }
}

//! The templates of `shaders/`, embedded in the binary, and their rendering.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::Value;

use super::KernelError;

static ENVIRONMENT: LazyLock<Result<Environment<'static>, String>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build();
    environment.set_syntax(syntax.map_err(|error| error.to_string())?);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    for (name, text) in hqcc_shaders::TEMPLATES {
        environment
            .add_template(name, text)
            .map_err(|error| format!("{name}: {error:#}"))?;
    }
    Ok(environment)
});

/// The names of all templates, sorted.
pub fn template_names() -> impl Iterator<Item = &'static str> {
    hqcc_shaders::TEMPLATES.iter().map(|(name, _)| *name)
}

/// The WGSL text of the template `name` with `constants` filled in.
///
/// # Errors
/// A template that does not exist, or that uses a constant that is not given.
pub fn render(name: &str, constants: &Value) -> Result<String, KernelError> {
    let fail = |reason: String| KernelError::Template {
        name: name.to_owned(),
        reason,
    };
    let environment = ENVIRONMENT
        .as_ref()
        .map_err(|reason| fail(reason.clone()))?;
    let template = environment
        .get_template(name)
        .map_err(|error| fail(format!("{error:#}")))?;
    template
        .render(Serde(constants))
        .map_err(|error| fail(format!("{error:#}")))
}

/// The scalar function of the element-wise op `op`, named `function` in the text, its attributes filled in.
///
/// # Errors
/// As [`render`].
pub fn render_function(
    op: &str,
    function: &str,
    attributes: &Value,
) -> Result<String, KernelError> {
    // An op without fields has no attributes to speak of.
    let mut constants = attributes.as_object().cloned().unwrap_or_default();
    constants.insert("function".to_owned(), function.into());
    render(op, &Value::Object(constants))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_template_parses() {
        let environment = ENVIRONMENT.as_ref().expect("all templates parse");
        assert_eq!(environment.templates().count(), template_names().count());
    }

    #[test]
    fn a_missing_constant_is_an_error() {
        let error = render("shared/element_wise", &json!({})).unwrap_err();
        assert!(matches!(error, KernelError::Template { .. }));
    }
}

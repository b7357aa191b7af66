//! How weights and biases start: the settings `init` and `bias_init`, and what their words mean.
//!
//! The bounds go by the fans of the layer: `fan_in` is the number of products in one output (for a transposed
//! convolution the number of outputs of one input per group, as PyTorch counts it), `fan_out` the reverse.

use super::layer::Builder;
use crate::graph::{Init, NodeId};
use crate::setting::{Kind, Setting, Settings};
use crate::tensor_type::{ShapeError, TensorType};

/// Standard deviation of `truncated_normal`.
const TRUNCATED: f64 = 0.02;
/// Standard deviation of `tiny_normal`.
const TINY: f64 = 1e-6;

pub(super) const INIT: Setting = Setting {
    name: "init",
    kind: Kind::Word(&[
        "default",
        "kaiming_normal",
        "kaiming_uniform",
        "xavier_uniform",
        "truncated_normal",
        "zero",
        "tiny_normal",
    ]),
    default: Some("default"),
    doc: "how the weight starts: default is uniform in +-1/sqrt(fan_in), kaiming_normal has std sqrt(2/fan_out), kaiming_uniform \
          is within +-sqrt(6/fan_in), xavier_uniform within +-sqrt(6/(fan_in + fan_out)), truncated_normal has std 0.02, \
          tiny_normal std 1e-6",
};

pub(super) const BIAS_INIT: Setting = Setting {
    name: "bias_init",
    kind: Kind::Word(&["default", "zero", "tiny_normal"]),
    default: Some("auto"),
    doc: "how the bias starts: default is uniform in +-1/sqrt(fan_in), tiny_normal has std 1e-6; auto is default beside a \
          weight that starts by default, else zero",
};

/// The fans of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fans {
    /// Products in one output.
    pub fan_in: usize,
    /// Products that one input enters.
    pub fan_out: usize,
}

/// The rule that a word names.
fn rule(word: &str, Fans { fan_in, fan_out }: Fans) -> Init {
    let uniform = |bound: f64| Init::Uniform {
        low: -bound,
        high: bound,
    };
    match word {
        "kaiming_normal" => Init::Normal {
            std: (2.0 / fan_out as f64).sqrt(),
        },
        "kaiming_uniform" => uniform((6.0 / fan_in as f64).sqrt()),
        "xavier_uniform" => uniform((6.0 / (fan_in + fan_out) as f64).sqrt()),
        "truncated_normal" => Init::TruncatedNormal { std: TRUNCATED },
        "zero" => Init::Constant { value: 0.0 },
        "tiny_normal" => Init::Normal { std: TINY },
        _ => Init::fan_in(fan_in),
    }
}

/// The rule that the setting `init` names.
pub(super) fn weight(settings: &Settings, fans: Fans) -> Init {
    rule(settings.word("init"), fans)
}

/// The rule that the setting `init` of a table names; a table has no fans.
pub(super) fn of_table(settings: &Settings) -> Init {
    let fans = Fans {
        fan_in: 1,
        fan_out: 1,
    };
    rule(settings.word("init"), fans)
}

/// Adds the bias of a layer, if its setting `bias` asks for one.
pub(super) fn bias(
    b: &mut Builder<'_>,
    settings: &Settings,
    channels: usize,
    fans: Fans,
) -> Result<Option<NodeId>, ShapeError> {
    if !settings.bool("bias") {
        return Ok(None);
    }
    let word = match (settings.word("bias_init"), settings.word("init")) {
        ("", "default" | "") => "default",
        ("", _) => "zero",
        (word, _) => word,
    };
    let init = rule(word, fans);
    b.parameter("bias", TensorType::plain([channels]), init)
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_the_meaning_that_pytorch_gives_them() {
        let fans = Fans {
            fan_in: 24,
            fan_out: 72,
        };
        let bound = |init: Init| match init {
            Init::Uniform { low, high } if low == -high => high,
            other => panic!("{other:?}"),
        };
        assert!((bound(rule("default", fans)) - 1.0 / 24f64.sqrt()).abs() < 1e-15);
        assert!((bound(rule("kaiming_uniform", fans)) - 0.5).abs() < 1e-15);
        assert!((bound(rule("xavier_uniform", fans)) - 0.25).abs() < 1e-15);
        assert_eq!(
            rule("kaiming_normal", fans),
            Init::Normal { std: 1.0 / 6.0 }
        );
        assert_eq!(rule("zero", fans), Init::Constant { value: 0.0 });
        assert_eq!(rule("tiny_normal", fans), Init::Normal { std: 1e-6 });
        assert_eq!(
            rule("truncated_normal", fans),
            Init::TruncatedNormal { std: 0.02 }
        );
    }
}

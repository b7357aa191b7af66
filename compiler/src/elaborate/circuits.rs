//! Circuits to their gates.

use super::project::Module;
use super::state::{Elaborator, Frame, Outcome};
use crate::diagnostic::{bail, error, suggest};
use crate::quantum::ansatz::{Ansatz, GateLayer, QubitPattern};
use crate::quantum::gates::{GATES, gate};
use crate::syntax::ast::{Argument, CircuitStep, Expr, ExprKind, Ident, Item};
use crate::syntax::span::Span;

/// How many layers of gates a circuit may have.
const MAX_GATES: usize = 256;

impl Elaborator<'_> {
    /// The gates of the circuit that an expression names.
    pub fn named_circuit(&mut self, expr: &Expr, frame: &Frame) -> Outcome<Ansatz> {
        let (module, name): (&Module, Ident) = match &expr.kind {
            ExprKind::Member(of, word) => (self.imported(of, word, frame)?, word.clone()),
            ExprKind::Name(name) => {
                let span = expr.span;
                let name = name.clone();
                (frame.module, Ident { name, span })
            }
            _ => bail!(self, "circuit::unknown" at expr.span, "a circuit is given by its name"),
        };
        if let Some(circuit) = module.circuit(&name.name) {
            return self.circuit(&circuit.steps, circuit.name.span, &Frame::of(module));
        }
        if name.name == "hqc_tf" {
            return Ok(Ansatz::hqc_tf());
        }
        let mut known = module.names(|item| match item {
            Item::Circuit(circuit) => Some(&circuit.name),
            _ => None,
        });
        known.push("hqc_tf");
        bail!(
            self, "circuit::unknown" at name.span, "there is no circuit called `{}`", name.name;
            suggest: suggest(&name.name, &known)
        );
    }

    /// The gates of a circuit; it repeats one part `blocks` times.
    pub fn circuit(&mut self, steps: &[CircuitStep], name: Span, frame: &Frame) -> Outcome<Ansatz> {
        let mut ansatz = Ansatz {
            before: Vec::new(),
            block: Vec::new(),
            after: Vec::new(),
        };
        let mut repeated: Option<Span> = None;
        for step in steps {
            match step {
                CircuitStep::Repeat { count, steps, span } if matches!(&count.kind, ExprKind::Name(word) if word == "blocks") =>
                {
                    if let Some(first) = repeated.replace(*span) {
                        bail!(
                            self, "circuit::repeat" at count.span,
                            "a circuit has one part that is repeated `blocks` times";
                            here: "second one";
                            see: first, "first one"
                        );
                    }
                    self.gates(steps, &mut ansatz.block, frame)?;
                }
                step => {
                    let part = match repeated {
                        None => &mut ansatz.before,
                        Some(_) => &mut ansatz.after,
                    };
                    self.gates(std::slice::from_ref(step), part, frame)?;
                }
            }
        }
        if repeated.is_none() {
            bail!(
                self, "circuit::repeat" at name, "no part of this circuit is repeated `blocks` times";
                help: "write `repeat blocks {{ ry(all) cnot(ring) }}`"
            );
        }
        ansatz.check().map(|()| ansatz).map_err(|error| {
            self.fail(error!(
                "circuit::angles" at name, "{error}"; help: "rotations such as `ry(all)` are what is trained"
            ))
        })
    }

    fn gates(
        &mut self,
        steps: &[CircuitStep],
        layers: &mut Vec<GateLayer>,
        frame: &Frame,
    ) -> Outcome<()> {
        for step in steps {
            self.enter(step.span())?;
            let result = self.gate(step, layers, frame);
            self.leave();
            result?;
            if layers.len() > MAX_GATES {
                bail!(
                    self, "limit::gates" at step.span(), "a circuit may have at most {MAX_GATES} layers of gates";
                    here: "stopped here"
                );
            }
        }
        Ok(())
    }

    fn gate(
        &mut self,
        step: &CircuitStep,
        layers: &mut Vec<GateLayer>,
        frame: &Frame,
    ) -> Outcome<()> {
        let method = match step {
            CircuitStep::Repeat { count, steps, .. } => {
                let times = self.int(count, frame)?;
                if !(0..=MAX_GATES as i64).contains(&times) {
                    bail!(
                        self, "limit::repeat" at count.span, "a part can be repeated up to {MAX_GATES} times";
                        here: "this is {times}"
                    );
                }
                for _ in 0..times {
                    self.gates(steps, layers, frame)?;
                }
                return Ok(());
            }
            CircuitStep::Gate(method) => method,
        };
        let name = method.name.name.as_str();
        let Some(found) = gate(name) else {
            let known: Vec<_> = GATES.iter().map(|gate| gate.name).collect();
            bail!(
                self, "circuit::gate" at method.name.span, "there is no gate called `{name}`";
                suggest: suggest(name, &known)
            );
        };
        let [argument @ Argument { name: None, .. }] = method.arguments.as_slice() else {
            bail!(
                self, "circuit::pattern" at method.span, "`{name}` takes one word: the qubits it acts on";
                help: "`all`, `ring` or `chain`"
            );
        };
        let on = self.word(name, &argument.value, &QubitPattern::WORDS, frame)?;
        let layer = GateLayer::new(found, on).map_err(|error| {
            let help = match found.qubits {
                1 => format!("write `{name}(all)`"),
                _ => format!("write `{name}(ring)` or `{name}(chain)`"),
            };
            self.fail(error!("circuit::pattern" at argument.value.span, "{error}"; help: "{help}"))
        })?;
        layers.push(layer);
        Ok(())
    }
}

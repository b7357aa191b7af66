//! Unitaries of one or two qubits whose entries are polynomials in sines and cosines of angles.
//!
//! A gate is written once, as the matrix of a textbook. Its values, derivatives, adjoint and the text of GPU kernels all
//! follow from that one form.

use std::ops::{Add, Mul, Neg};

/// Most angles that a gate may have.
pub const MAX_ANGLES: usize = 3;

/// A complex number `re + i im`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Complex {
    /// Real part.
    pub re: f64,
    /// Imaginary part.
    pub im: f64,
}

impl Complex {
    /// `0`.
    pub const ZERO: Self = Self::new(0.0, 0.0);
    /// `1`.
    pub const ONE: Self = Self::new(1.0, 0.0);
    /// `i`.
    pub const I: Self = Self::new(0.0, 1.0);

    /// `re + i im`.
    pub const fn new(re: f64, im: f64) -> Self {
        Self { re, im }
    }

    /// `re - i im`.
    pub const fn conjugate(self) -> Self {
        Self::new(self.re, -self.im)
    }
}

impl Add for Complex {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

impl Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self::new(
            self.re * other.re - self.im * other.im,
            self.re * other.im + self.im * other.re,
        )
    }
}

impl Mul<f64> for Complex {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }
}

impl Neg for Complex {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

/// `coefficient * prod_k cos(x_k)^cos[k] sin(x_k)^sin[k]`, where `x_k` is angle `k` times its rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Term {
    /// The factor in front.
    pub coefficient: Complex,
    /// Power of each cosine.
    pub cos: [u8; MAX_ANGLES],
    /// Power of each sine.
    pub sin: [u8; MAX_ANGLES],
}

impl Term {
    fn times(&self, other: &Self) -> Self {
        Self {
            coefficient: self.coefficient * other.coefficient,
            cos: std::array::from_fn(|k| self.cos[k] + other.cos[k]),
            sin: std::array::from_fn(|k| self.sin[k] + other.sin[k]),
        }
    }
}

/// A sum of terms in lasting order: no two have the same powers, none is zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Polynomial(Vec<Term>);

impl From<Complex> for Polynomial {
    fn from(coefficient: Complex) -> Self {
        let mut sum = Self::default();
        sum.insert(Term {
            coefficient,
            cos: [0; MAX_ANGLES],
            sin: [0; MAX_ANGLES],
        });
        sum
    }
}

impl Polynomial {
    /// `cos(x_k)`.
    pub fn cos(k: usize) -> Self {
        let mut term = Self::from(Complex::ONE);
        term.0[0].cos[k] = 1;
        term
    }

    /// `sin(x_k)`.
    pub fn sin(k: usize) -> Self {
        let mut term = Self::from(Complex::ONE);
        term.0[0].sin[k] = 1;
        term
    }

    /// `exp(i x_k)`.
    pub fn phase(k: usize) -> Self {
        Self::cos(k) + Self::sin(k) * Complex::I
    }

    /// Its terms.
    pub fn terms(&self) -> &[Term] {
        &self.0
    }

    /// Its value where it has no angle in it.
    pub fn constant(&self) -> Option<Complex> {
        match self.0.as_slice() {
            [] => Some(Complex::ZERO),
            [term] if term.cos == [0; MAX_ANGLES] && term.sin == [0; MAX_ANGLES] => {
                Some(term.coefficient)
            }
            _ => None,
        }
    }

    /// The value at `[sin(x_k), cos(x_k)]` of each angle.
    pub fn at(&self, sin_cos: &[[f64; 2]]) -> Complex {
        let power = |term: &Term| -> f64 {
            let each = sin_cos.iter().enumerate();
            each.map(|(k, [s, c])| s.powi(term.sin[k].into()) * c.powi(term.cos[k].into()))
                .product()
        };
        let terms = self.0.iter().map(|term| term.coefficient * power(term));
        terms.fold(Complex::ZERO, Add::add)
    }

    /// The complex conjugate; angles are real.
    pub fn conjugate(mut self) -> Self {
        for term in &mut self.0 {
            term.coefficient = term.coefficient.conjugate();
        }
        self
    }

    /// The derivative by `x_k`.
    pub fn derivative(&self, k: usize) -> Self {
        let mut sum = Self::default();
        for term in &self.0 {
            let (cos, sin) = (term.cos[k], term.sin[k]);
            if cos > 0 {
                let mut moved = *term;
                (moved.cos[k], moved.sin[k]) = (cos - 1, sin + 1);
                moved.coefficient = term.coefficient * -f64::from(cos);
                sum.insert(moved);
            }
            if sin > 0 {
                let mut moved = *term;
                (moved.cos[k], moved.sin[k]) = (cos + 1, sin - 1);
                moved.coefficient = term.coefficient * f64::from(sin);
                sum.insert(moved);
            }
        }
        sum
    }

    fn insert(&mut self, term: Term) {
        let powers = |term: &Term| (term.cos, term.sin);
        match self.0.binary_search_by_key(&powers(&term), powers) {
            Ok(at) => {
                self.0[at].coefficient = self.0[at].coefficient + term.coefficient;
                if self.0[at].coefficient == Complex::ZERO {
                    self.0.remove(at);
                }
            }
            Err(_) if term.coefficient == Complex::ZERO => {}
            Err(at) => self.0.insert(at, term),
        }
    }
}

impl Add for Polynomial {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        for term in other.0 {
            self.insert(term);
        }
        self
    }
}

impl Mul for Polynomial {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let mut product = Self::default();
        for a in &self.0 {
            for b in &other.0 {
                product.insert(a.times(b));
            }
        }
        product
    }
}

impl Mul<Complex> for Polynomial {
    type Output = Self;
    fn mul(self, factor: Complex) -> Self {
        self * Self::from(factor)
    }
}

impl Neg for Polynomial {
    type Output = Self;
    fn neg(self) -> Self {
        self * -Complex::ONE
    }
}

/// A square matrix of polynomials; its rows and columns are the basis states of its qubits, the first qubit being the
/// most significant bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Unitary {
    size: usize,
    entries: Vec<Polynomial>,
}

impl<const N: usize> From<[[Polynomial; N]; N]> for Unitary {
    fn from(rows: [[Polynomial; N]; N]) -> Self {
        Self {
            size: N,
            entries: rows.into_iter().flatten().collect(),
        }
    }
}

impl<const N: usize> From<[[Complex; N]; N]> for Unitary {
    fn from(rows: [[Complex; N]; N]) -> Self {
        Self::from(rows.map(|row| row.map(Polynomial::from)))
    }
}

impl Unitary {
    /// `block` on the last qubit where the first is 1.
    pub fn controlled(block: impl Into<Self>) -> Self {
        let block = block.into();
        Self::made(2 * block.size, |i, j| {
            match (i.checked_sub(block.size), j.checked_sub(block.size)) {
                (Some(i), Some(j)) => block.entry(i, j).clone(),
                _ if i == j => Complex::ONE.into(),
                _ => Polynomial::default(),
            }
        })
    }

    /// The matrix with the entries that `entry` gives by row and column.
    pub fn made(size: usize, entry: impl Fn(usize, usize) -> Polynomial) -> Self {
        Self {
            size,
            entries: (0..size * size)
                .map(|at| entry(at / size, at % size))
                .collect(),
        }
    }

    /// Number of rows: 2 for one qubit, 4 for two.
    pub fn size(&self) -> usize {
        self.size
    }

    /// An entry.
    pub fn entry(&self, row: usize, column: usize) -> &Polynomial {
        &self.entries[row * self.size + column]
    }

    /// The conjugate transpose, which is the inverse.
    pub fn adjoint(&self) -> Self {
        Self::made(self.size, |i, j| self.entry(j, i).clone().conjugate())
    }

    /// The transpose.
    pub fn transposed(&self) -> Self {
        Self::made(self.size, |i, j| self.entry(j, i).clone())
    }

    /// The derivative by angle `k`, whose rate is `rate`; no unitary any more.
    pub fn derivative(&self, k: usize, rate: f64) -> Self {
        let factor = Complex::new(rate, 0.0);
        Self::made(self.size, |i, j| self.entry(i, j).derivative(k) * factor)
    }

    /// For a matrix that only moves basis states: state `i` comes from state `source[i]`.
    pub fn permutation(&self) -> Option<Vec<usize>> {
        let source = |i| {
            let mut ones = (0..self.size).filter(|&j| self.entry(i, j) != &Polynomial::default());
            let source = ones.next()?;
            let moves = self.entry(i, source).constant() == Some(Complex::ONE);
            (moves && ones.next().is_none()).then_some(source)
        };
        (0..self.size).map(source).collect()
    }

    /// The smallest sets of basis states that the matrix does not mix with others, without those that it leaves as they
    /// are. A controlled gate has none for control 0, a diagonal one has sets of one state.
    pub fn blocks(&self) -> Vec<Vec<usize>> {
        let mut set: Vec<usize> = (0..self.size).collect();
        for i in 0..self.size {
            for j in 0..self.size {
                if self.entry(i, j) != &Polynomial::default() && set[i] != set[j] {
                    let (keep, gone) = (set[i].min(set[j]), set[i].max(set[j]));
                    set.iter_mut()
                        .filter(|s| **s == gone)
                        .for_each(|s| *s = keep);
                }
            }
        }
        let members = |first| (0..self.size).filter(|&i| set[i] == first).collect();
        let blocks = (0..self.size).map(members);
        let kept = |block: &Vec<usize>| match block.as_slice() {
            [] => false,
            &[state] => self.entry(state, state).constant() != Some(Complex::ONE),
            _ => true,
        };
        blocks.filter(kept).collect()
    }
}

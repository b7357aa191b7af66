//! How tests choose the instruction set, and what holds for every register.

use std::cell::Cell;

use num_traits::{One, Zero};

use super::*;

thread_local! {
    static FORCED: Cell<Option<Isa>> = const { Cell::new(None) };
}

/// The instruction set that a test asked for on this thread.
pub fn forced() -> Option<Isa> {
    FORCED.get()
}

/// Does work on the emulated registers of an instruction set.
pub fn emulate<W: Work>(isa: Isa, work: W) -> W::Output {
    match isa {
        Isa::Avx512 => enter::<emulation::Avx512, W>(work),
        Isa::Neon => enter::<emulation::Neon, W>(work),
        Isa::Avx2 | Isa::Portable => enter::<Portable, W>(work),
    }
}

/// The instruction sets that a test can run: those of this machine and the emulated ones.
pub fn all() -> impl Iterator<Item = Isa> {
    let emulated = [Isa::Avx512, Isa::Neon];
    (Isa::ALL.into_iter()).filter(move |isa| isa.is_native() || emulated.contains(isa))
}

/// Whether tests run it on emulated registers here, which takes far longer.
pub fn is_emulated(isa: Isa) -> bool {
    !isa.is_native()
}

/// Calls `f` with an instruction set on threads of its own, so that other tests do not see it.
pub fn on<R: Send>(isa: Isa, f: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .start_handler(move |_| FORCED.set(Some(isa)))
        .build()
        .unwrap();
    pool.install(f)
}

/// A stream of values in [-1, 1) without a pattern.
fn values<T: Float>(seed: usize, len: usize) -> Vec<T> {
    (0..len)
        .map(|k| {
            let bits = (seed + k).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            T::from(bits as f64 / f64::from(1 << 23) - 1.0).unwrap()
        })
        .collect()
}

/// Checks every method of a register against its definition, lane by lane and bit by bit.
fn check<V: Vector>(fma: bool) {
    let n = V::LANES;
    let [a, b, c]: [Vec<V::Elem>; 3] = [1, 1000, 2000].map(|seed| values(seed, n));
    let [x, y, z] = [&a, &b, &c].map(|v| V::from_slice(v));
    let lanes = |v: V| {
        let mut out = vec![V::Elem::zero(); n];
        v.to_slice(&mut out);
        out
    };
    let each = |f: &dyn Fn(usize) -> V::Elem| (0..n).map(f).collect::<Vec<_>>();
    let two = |f: &dyn Fn(usize) -> V::Elem| [each(&|l| f(l)), each(&|l| f(n + l))];
    let same = |what: &str, got: Vec<V::Elem>, want: Vec<V::Elem>| {
        assert!(got == want, "{what} of {n} lanes");
    };

    same("splat", lanes(V::splat(a[0])), vec![a[0]; n]);
    same("zero", lanes(V::zero()), vec![V::Elem::zero(); n]);
    same("load and store", lanes(x), a.clone());
    same("add", lanes(x.add(y)), each(&|l| a[l] + b[l]));
    same("sub", lanes(x.sub(y)), each(&|l| a[l] - b[l]));
    same("mul", lanes(x.mul(y)), each(&|l| a[l] * b[l]));
    let product = |l: usize, sign: V::Elem| {
        if fma {
            (sign * a[l]).mul_add(b[l], c[l])
        } else {
            c[l] + sign * (a[l] * b[l])
        }
    };
    let one = V::Elem::one();
    same(
        "mul_add",
        lanes(x.mul_add(y, z)),
        each(&|l| product(l, one)),
    );
    same(
        "neg_mul_add",
        lanes(x.neg_mul_add(y, z)),
        each(&|l| product(l, -one)),
    );
    same(
        "blend",
        lanes(V::blend(x, y)),
        each(&|l| if l % 2 == 0 { a[l] } else { b[l] }),
    );
    same("reverse", lanes(x.reverse()), each(&|l| a[n - 1 - l]));

    let plain = |i: usize| {
        if i.is_multiple_of(2) {
            a[i / 2]
        } else {
            b[i / 2]
        }
    };
    let swapped = |i: usize| {
        if (i % 2) ^ (i / 2 % 2) == 0 {
            a[i / 2]
        } else {
            b[i / 2]
        }
    };
    let pair = |(lo, hi): (V, V)| [lanes(lo), lanes(hi)].concat();
    same(
        "interleave",
        pair(V::interleave(x, y)),
        two(&plain).concat(),
    );
    same(
        "interleave_swapped",
        pair(V::interleave_swapped(x, y)),
        two(&swapped).concat(),
    );
    let [lo, hi] = two(&plain).map(|v| V::from_slice(&v));
    same(
        "deinterleave",
        pair(V::deinterleave(lo, hi)),
        [a.clone(), b.clone()].concat(),
    );
    let [lo, hi] = two(&swapped).map(|v| V::from_slice(&v));
    same(
        "deinterleave_swapped",
        pair(V::deinterleave_swapped(lo, hi)),
        [a.clone(), b].concat(),
    );

    let (mut halves, mut half) = (a.clone(), n / 2);
    while half > 0 {
        for l in 0..half {
            halves[l] = halves[l] + halves[l + half];
        }
        half /= 2;
    }
    assert!(x.sum() == halves[0], "sum of {n} lanes");

    for at in 0..n + 2 {
        let mut want = a[at.min(n)..].to_vec();
        want.resize(n, V::Elem::zero());
        same("from_part", lanes(V::from_part(&a, at)), want);
        let mut got = c.clone();
        y.to_part(&mut got, at);
        let b = lanes(y);
        same(
            "to_part",
            got,
            each(&|l| if l < at { c[l] } else { b[l - at] }),
        );
    }
}

struct Check {
    fma: bool,
}

impl Work for Check {
    type Output = ();

    #[inline(always)]
    fn run<S: Set>(self) {
        check::<S::Single>(self.fma);
        check::<S::Double>(self.fma);
        check::<S::WideSingle>(self.fma);
        check::<S::WideDouble>(self.fma);
        check::<S::Few<f32, 2>>(self.fma);
        check::<S::Few<f32, 4>>(self.fma);
        check::<S::Few<f64, 2>>(self.fma);
        check::<S::Few<f64, 8>>(self.fma);
    }
}

#[test]
fn every_register_does_what_its_methods_say() {
    for isa in all() {
        let fma = isa != Isa::Portable;
        on(isa, || run(Check { fma }));
    }
}

#[test]
fn tiles_fit_into_the_registers() {
    fn fits<S: Set>(registers: usize) {
        assert!(2 * S::ROWS + 3 <= registers);
        // One row more would not fit: the tile is as large as can be.
        assert!(2 * (S::ROWS + 1) + 3 > registers);
    }
    fits::<emulation::Avx512>(32);
    fits::<emulation::Neon>(32);
}

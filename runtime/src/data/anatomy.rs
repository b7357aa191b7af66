//! The abdomen that phantoms show: organs as warped ellipsoids, painted slice by slice from the outside in.
//!
//! Lengths are millimetres from the middle of the body: x to the patient's left, y to the back, z downwards. Grey values
//! are Hounsfield units of an arterial phase, drawn anew for every case; organs overlap in grey value as they do in life
//! (medulla, liver, spleen; cortex, aorta, bowel contrast), so that no threshold finds a kidney.

use crate::random::Stream;
use std::f64::consts::{PI, TAU};

/// Numbers of one stream, drawn one after another.
struct Draw {
    stream: Stream,
    next: u64,
}

impl Draw {
    fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        self.next += 1;
        lo + (hi - lo) * self.stream.uniform_f64(self.next - 1)
    }

    fn chance(&mut self, p: f64) -> bool {
        self.uniform(0.0, 1.0) < p
    }
}

/// An ellipsoid whose in-plane axes are turned; its middle shifts by `lean` per millimetre of height.
#[derive(Clone, Copy)]
struct Ellipsoid {
    centre: [f64; 3],
    radii: [f64; 3],
    /// Sine and cosine of the turn.
    turn: [f64; 2],
    lean: [f64; 2],
}

impl Ellipsoid {
    fn new(centre: [f64; 3], radii: [f64; 3]) -> Ellipsoid {
        Ellipsoid {
            centre,
            radii,
            turn: [0.0, 1.0],
            lean: [0.0; 2],
        }
    }

    fn turned(self, angle: f64) -> Ellipsoid {
        Ellipsoid {
            turn: [angle.sin(), angle.cos()],
            ..self
        }
    }

    /// Position in units of the radii.
    fn local(&self, p: [f64; 3]) -> [f64; 3] {
        let dz = p[2] - self.centre[2];
        let dx = p[0] - self.centre[0] - self.lean[0] * dz;
        let dy = p[1] - self.centre[1] - self.lean[1] * dz;
        let [s, c] = self.turn;
        [
            (c * dx + s * dy) / self.radii[0],
            (c * dy - s * dx) / self.radii[1],
            dz / self.radii[2],
        ]
    }

    /// The local position of a point that lies within `reach` times the radii.
    fn inside(&self, p: [f64; 3], reach: f64) -> Option<[f64; 3]> {
        if (p[2] - self.centre[2]).abs() > self.radii[2] * reach {
            return None;
        }
        Some(self.local(p)).filter(|u| norm(*u) < reach)
    }

    fn grown(self, factor: f64) -> Ellipsoid {
        Ellipsoid {
            radii: self.radii.map(|r| r * factor),
            ..self
        }
    }
}

fn norm(u: [f64; 3]) -> f64 {
    (u[0] * u[0] + u[1] * u[1] + u[2] * u[2]).sqrt()
}

/// A piece of gut: a wall around something else.
struct Loop {
    shape: Ellipsoid,
    wall: f64,
    content: f64,
    gas_above: f64,
}

struct Growth {
    shape: Ellipsoid,
    hu: f64,
    core: f64,
    lobes: [f64; 3],
    label: u8,
}

struct Kidney {
    shape: Ellipsoid,
    /// +1 on the patient's left, -1 on the right.
    side: f64,
    fat: f64,
    cortex: f64,
    medulla: f64,
    pelvis: f64,
    phase: f64,
}

/// The drawn anatomy of one case.
pub struct Anatomy {
    body: [f64; 2],
    fat: f64,
    muscle: f64,
    spine_y: f64,
    spine_phase: f64,
    fat_hu: f64,
    muscle_hu: f64,
    aorta: f64,
    cava: f64,
    solid: Vec<(Ellipsoid, f64)>,
    gut: Vec<Loop>,
    colon: [Loop; 2],
    kidneys: [Kidney; 2],
    growths: Vec<Growth>,
    rib_phase: f64,
    waves: Vec<[f64; 6]>,
    /// Standard deviation of the noise before the blur. Units: Hounsfield units.
    pub noise: f64,
}

/// Height that the slices of a case span. Units: millimetres.
pub const HEIGHT: f64 = 190.0;

impl Anatomy {
    /// Draws the anatomy of one case; a tumour with probability `tumors`.
    pub fn draw(stream: Stream, tumors: f64) -> Anatomy {
        let d = &mut Draw { stream, next: 0 };
        let a = d.uniform(142.0, 178.0);
        let b = a * d.uniform(0.66, 0.76);
        let fat = d.uniform(9.0, 26.0);
        let muscle = d.uniform(9.0, 13.0);
        let spine_y = b * d.uniform(0.36, 0.42);
        // Half axes of the cavity inside the abdominal wall.
        let (ia, ib) = (a - fat - muscle, b - 0.8 * fat - muscle);
        let mut kidney = |side: f64| {
            let radii = [
                d.uniform(26.0, 31.0),
                d.uniform(23.0, 27.0),
                d.uniform(48.0, 58.0),
            ];
            let x = side * (radii[0] + d.uniform(27.0, 36.0));
            let y = spine_y + d.uniform(-8.0, 6.0);
            let z = d.uniform(-8.0, 8.0) - 8.0 * side;
            let mut shape = Ellipsoid::new([x, y, z], radii).turned(side * d.uniform(0.3, 0.8));
            shape.lean = [side * d.uniform(0.08, 0.2), d.uniform(-0.05, 0.12)];
            Kidney {
                shape,
                side,
                fat: d.uniform(1.12, 1.4),
                cortex: d.uniform(150.0, 205.0),
                medulla: d.uniform(90.0, 130.0),
                pelvis: d.uniform(0.0, 25.0),
                phase: d.uniform(0.0, TAU),
            }
        };
        let kidneys = [kidney(-1.0), kidney(1.0)];
        let liver = d.uniform(80.0, 120.0);
        let mut solid = vec![
            (
                Ellipsoid::new(
                    [-0.45 * ia, -0.1 * ib, d.uniform(-95.0, -70.0)],
                    [0.56 * ia, 0.82 * ib, d.uniform(85.0, 110.0)],
                ),
                liver,
            ),
            (
                Ellipsoid::new(
                    [0.1 * ia, -0.45 * ib, -85.0],
                    [0.4 * ia, 0.35 * ib, d.uniform(40.0, 60.0)],
                ),
                liver,
            ),
            (
                Ellipsoid::new(
                    [0.72 * ia, 0.3 * ib, d.uniform(-80.0, -55.0)],
                    [0.22 * ia, 0.42 * ib, d.uniform(40.0, 55.0)],
                )
                .turned(0.3),
                d.uniform(105.0, 150.0),
            ),
            (
                Ellipsoid::new(
                    [d.uniform(0.0, 20.0), 0.0, d.uniform(-35.0, -15.0)],
                    [d.uniform(45.0, 60.0), 12.0, 15.0],
                )
                .turned(-0.25),
                d.uniform(85.0, 115.0),
            ),
            (
                Ellipsoid::new([-0.38 * ia, -0.35 * ib, -20.0], [15.0, 19.0, 28.0]),
                d.uniform(0.0, 20.0),
            ),
        ];
        for _ in 0..6 {
            let centre = [
                -d.uniform(0.15, 0.8) * ia,
                d.uniform(-0.5, 0.3) * ib,
                d.uniform(-90.0, -20.0),
            ];
            let radii = [
                d.uniform(3.0, 6.0),
                d.uniform(6.0, 22.0),
                d.uniform(5.0, 20.0),
            ];
            solid.push((
                Ellipsoid::new(centre, radii).turned(d.uniform(0.0, PI)),
                liver + d.uniform(15.0, 45.0),
            ));
        }
        let mut gut = vec![Loop {
            shape: Ellipsoid::new(
                [0.35 * ia, -0.25 * ib, d.uniform(-75.0, -55.0)],
                [0.33 * ia, 0.4 * ib, d.uniform(35.0, 50.0)],
            ),
            wall: d.uniform(60.0, 90.0),
            content: d.uniform(5.0, 50.0),
            gas_above: d.uniform(-0.6, 0.2),
        }];
        for _ in 0..26 {
            let z = d.uniform(-30.0, 110.0);
            let around = d.uniform(0.0, TAU);
            let out = d.uniform(0.0, 1.0f64).sqrt() * 0.78;
            let r = d.uniform(11.0, 21.0);
            let shape = Ellipsoid::new(
                [
                    out * around.cos() * ia,
                    (out * around.sin() * 0.55 - 0.36) * ib,
                    z,
                ],
                [r * d.uniform(1.0, 1.8), r, r * d.uniform(0.8, 1.6)],
            );
            gut.push(Loop {
                shape: shape.turned(d.uniform(0.0, PI)),
                wall: d.uniform(80.0, 130.0),
                content: match d.uniform(0.0, 1.0) {
                    v if v < 0.3 => d.uniform(140.0, 240.0),
                    v if v < 0.4 => -900.0,
                    _ => d.uniform(10.0, 70.0),
                },
                gas_above: if d.chance(0.25) {
                    d.uniform(-0.5, 0.5)
                } else {
                    -2.0
                },
            });
        }
        // The right flexure is below the liver, the left one below the spleen.
        let mut colon = |side: f64| Loop {
            shape: Ellipsoid::new(
                [side * 0.8 * ia, d.uniform(-0.1, 0.15) * ib, 110.0],
                [
                    d.uniform(15.0, 21.0),
                    d.uniform(16.0, 23.0),
                    110.0 + side * d.uniform(15.0, 30.0),
                ],
            ),
            wall: d.uniform(60.0, 90.0),
            content: d.uniform(-250.0, 60.0),
            gas_above: if d.chance(0.5) {
                d.uniform(-0.5, 0.3)
            } else {
                -2.0
            },
        };
        let colon = [colon(-1.0), colon(1.0)];
        let mut growths = Vec::new();
        for k in &kidneys {
            if d.chance(0.4) {
                growths.push(growth(d, k, [6.0, 15.0], false));
            }
        }
        if d.chance(tumors) {
            let which = usize::from(d.chance(0.5));
            growths.push(growth(d, &kidneys[which], [10.0, 27.0], true));
        }
        let waves = (0..6)
            .map(|i| {
                let long = if i < 3 { 130.0 } else { 60.0 };
                let k = TAU / (long * d.uniform(0.8, 1.4));
                let turn = d.uniform(0.0, TAU);
                let high = if i < 3 { 3.2 } else { 1.2 };
                [
                    k * turn.cos(),
                    k * turn.sin(),
                    k * d.uniform(-0.6, 0.6),
                    d.uniform(0.0, TAU),
                    high * d.uniform(-1.0, 1.0),
                    high * d.uniform(-1.0, 1.0),
                ]
            })
            .collect();
        Anatomy {
            body: [a, b],
            fat,
            muscle,
            spine_y,
            spine_phase: d.uniform(0.0, 35.0),
            fat_hu: d.uniform(-112.0, -90.0),
            muscle_hu: d.uniform(48.0, 68.0),
            aorta: d.uniform(190.0, 320.0),
            cava: d.uniform(90.0, 150.0),
            solid,
            gut,
            colon,
            kidneys,
            growths,
            rib_phase: d.uniform(0.0, TAU),
            waves,
            noise: d.uniform(26.0, 42.0),
        }
    }

    /// Side of a square that holds the body. Units: millimetres.
    pub fn field_of_view(&self) -> f64 {
        2.0 * self.body[0] * 1.07
    }

    /// Grey value and label at a point.
    pub fn at(&self, x: f64, y: f64, z: f64) -> (f64, u8) {
        // The waves move a point by less than 14 mm.
        let [a, b] = self.body;
        if x.abs() > a + 14.0 || y.abs() > b + 14.0 {
            return (table(x, y, b), 0);
        }
        let (mut wx, mut wy) = (x, y);
        for w in &self.waves {
            let s = (w[0] * x + w[1] * y + w[2] * z + w[3]).sin();
            wx += w[4] * s;
            wy += w[5] * s;
        }
        let radial = |a: f64, b: f64| ((wx / a).abs().powi(3) + (wy / b).abs().powi(3)).cbrt();
        if radial(a, b) > 1.0 {
            return (table(x, y, b), 0);
        }
        if radial(a - 1.8, b - 1.8) > 1.0 {
            return (10.0, 0);
        }
        let p = [wx, wy, z];
        if let Some(hu) = self.bone(p) {
            return (hu, 0);
        }
        if radial(a - self.fat, b - 0.8 * self.fat) > 1.0 {
            return (self.fat_hu, 0);
        }
        let (ia, ib) = (a - self.fat - self.muscle, b - 0.8 * self.fat - self.muscle);
        if let Some(found) = self.kidney(p) {
            return found;
        }
        if self.in_back_muscle(p) || radial(ia, ib) > 1.0 {
            return (self.muscle_hu + 6.0 * (0.4 * wx + 0.3 * wy).sin(), 0);
        }
        (self.organ(p), 0)
    }

    fn bone(&self, [x, y, z]: [f64; 3]) -> Option<f64> {
        let along = (z + self.spine_phase).rem_euclid(35.0);
        let body = (x / 22.0).hypot((y - self.spine_y) / 17.0);
        if body < 1.0 {
            return Some(match (along < 8.0, body > 0.88) {
                (true, _) => 85.0,
                (false, true) => 420.0,
                (false, false) => 190.0 + 40.0 * (0.9 * x + 0.7 * z).sin() * (0.8 * y).cos(),
            });
        }
        let canal_y = self.spine_y + 26.0;
        let canal = (x / 10.0).hypot((y - canal_y) / 9.0);
        if canal < 1.0 {
            return Some(30.0);
        }
        let arch = canal < 1.45 && along > 6.0;
        let spinous = (x / 4.5).hypot((y - canal_y - 24.0) / 15.0) < 1.0 && along > 12.0;
        let transverse = ((x.abs() - 27.0) / 17.0).hypot((y - canal_y + 4.0) / 4.5) < 1.0
            && (10.0..20.0).contains(&along);
        if arch || spinous || transverse {
            return Some(380.0);
        }
        // Ribs run round the wall and downwards to the front.
        let [a, b] = self.body;
        let (ra, rb) = (
            a - self.fat - 0.6 * self.muscle,
            b - 0.8 * self.fat - 0.6 * self.muscle,
        );
        let out = ((x / ra).abs().powi(3) + (y / rb).abs().powi(3)).cbrt();
        if z < 25.0 && y > -0.3 * b && (out - 1.0).abs() < 4.0 / ra {
            let round = (y / rb).atan2(x.abs() / ra);
            if (z / 13.0 + 4.5 * round + self.rib_phase).sin() > 0.72 {
                return Some(if (out - 1.0).abs() > 2.6 / ra {
                    450.0
                } else {
                    220.0
                });
            }
        }
        None
    }

    fn in_back_muscle(&self, [x, y, z]: [f64; 3]) -> bool {
        let grow = 1.0 + 0.3 * (z / HEIGHT);
        let x = x.abs();
        let psoas = ((x - 29.0) / (12.0 * grow)).hypot((y - self.spine_y - 4.0) / (17.0 * grow));
        let erector = ((x - 33.0) / 27.0).hypot((y - self.spine_y - 44.0) / 19.0);
        let quadratus = ((x - 62.0) / 20.0).hypot((y - self.spine_y - 30.0) / 9.0);
        psoas < 1.0 || erector < 1.0 || (quadratus < 1.0 && z > -30.0)
    }

    fn kidney(&self, p: [f64; 3]) -> Option<(f64, u8)> {
        for g in &self.growths {
            let Some(u) = g.shape.inside(p, 1.3) else {
                continue;
            };
            let round = u[1].atan2(u[0]);
            let bumps = g.lobes[0] * (2.0 * round + g.lobes[1]).sin()
                + g.lobes[0] * (3.0 * u[2] + round + g.lobes[2]).cos();
            let rho = norm(u) * (1.0 + bumps);
            if rho < 1.0 {
                let rough = 9.0 * ((0.5 * p[0]).sin() + (0.6 * p[1] + 0.4 * p[2]).cos());
                return Some(match (g.label, rho < 0.5) {
                    (2, true) => (g.core + rough, 2),
                    (2, false) => (g.hu + rough, 2),
                    (label, _) => (g.hu, label),
                });
            }
        }
        for k in &self.kidneys {
            let Some(u) = k.shape.inside(p, k.fat) else {
                continue;
            };
            let rho = norm(u);
            // The sinus lies towards the middle of the body and opens there.
            let toward = [-k.side * k.shape.turn[1], k.side * k.shape.turn[0]];
            let inward = u[0] * toward[0] + u[1] * toward[1];
            let across = u[1] * toward[0] - u[0] * toward[1];
            let sinus = ((inward - 0.62) / 0.52)
                .hypot(across / 0.34)
                .hypot(u[2] / 0.5);
            if sinus < 1.0 {
                let pelvis = ((inward - 0.7) / 0.45)
                    .hypot(across / 0.15)
                    .hypot(u[2] / 0.3)
                    < 1.0;
                return Some((if pelvis { k.pelvis } else { self.fat_hu + 20.0 }, 0));
            }
            if rho > 1.0 {
                // Perirenal fat, unless it meets the muscle behind.
                let free = rho < 1.06 || !self.in_back_muscle(p);
                return free.then_some((self.fat_hu, 0));
            }
            let round = across.atan2(inward - 0.4);
            let pyramid = (8.0 * round + k.phase + 3.0 * u[2]).cos() > -0.2;
            let hu = if rho < 0.8 && pyramid {
                k.medulla
            } else {
                k.cortex
            };
            return Some((hu, 1));
        }
        None
    }

    fn organ(&self, p: [f64; 3]) -> f64 {
        let [x, y, z] = p;
        let aorta = (x - 9.0 - 0.03 * z).hypot(y - self.spine_y + 29.0);
        if aorta < 10.0 - 0.01 * z {
            return if aorta > 8.6 && (0.11 * z + 0.2 * x).sin() > 0.8 {
                450.0
            } else {
                self.aorta
            };
        }
        if ((x + 19.0) / 12.5).hypot((y - self.spine_y + 25.0) / 9.0) < 1.0 {
            return self.cava;
        }
        let renal = (y - self.spine_y + 18.0 - 0.1 * x.abs()).hypot(z + 2.0);
        if x.abs() < 55.0 && renal < 3.6 {
            return self.cava.max(self.aorta - 60.0);
        }
        for l in &self.colon {
            let wave = 1.0 + 0.12 * (0.12 * z + 9.0 * l.content).sin();
            let u = l.shape.grown(wave).local(p);
            if u[0].hypot(u[1]).hypot(u[2].powi(4)) < 1.0 {
                return l.at([u[0], u[1], 0.0], p);
            }
        }
        // Vessels are painted over the organ that holds them, so the last that covers a point wins.
        if let Some((_, hu)) = self
            .solid
            .iter()
            .rev()
            .find(|(s, _)| s.inside(p, 1.0).is_some())
        {
            return hu + 4.0 * ((0.25 * x + 0.2 * z).sin() + (0.22 * y).cos());
        }
        for l in &self.gut {
            if let Some(u) = l.shape.inside(p, 1.0) {
                return l.at(u, p);
            }
        }
        self.fat_hu + 5.0 * (0.2 * x).sin() * (0.17 * y + 0.1 * z).cos()
    }
}

impl Loop {
    fn at(&self, u: [f64; 3], p: [f64; 3]) -> f64 {
        let rho = norm(u);
        let folds = 0.05 * (6.0 * u[1].atan2(u[0])).sin();
        if rho > 0.82 + folds {
            self.wall
        } else if u[1] < self.gas_above {
            -920.0
        } else {
            self.content + 15.0 * (0.7 * p[0]).sin() * (0.8 * p[1] + 0.5 * p[2]).sin()
        }
    }
}

/// The surroundings of the body: air, and the couch below.
fn table(x: f64, y: f64, b: f64) -> f64 {
    let top = b + 5.0 - 0.0006 * x * x;
    match y - top {
        d if (0.0..5.0).contains(&d) => 100.0,
        d if (5.0..16.0).contains(&d) => -880.0,
        _ => -1000.0,
    }
}

fn growth(d: &mut Draw, kidney: &Kidney, [lo, hi]: [f64; 2], tumor: bool) -> Growth {
    let r = d.uniform(lo, hi);
    // On the surface, away from the hilum.
    let outward = if kidney.side > 0.0 { 0.0 } else { PI };
    let around = outward + d.uniform(-1.7, 1.7);
    let up = d.uniform(-0.7, 0.7);
    let flat = (1.0f64 - up * up).sqrt() * d.uniform(0.75, 1.0);
    let k = &kidney.shape;
    let dz = up * k.radii[2];
    let centre = [
        k.centre[0] + k.lean[0] * dz + flat * around.cos() * k.radii[0],
        k.centre[1] + k.lean[1] * dz + flat * around.sin() * k.radii[1],
        k.centre[2] + dz,
    ];
    let radii = [r, r * d.uniform(0.8, 1.1), r * d.uniform(0.8, 1.2)];
    let hu = if tumor {
        d.uniform(55.0, 125.0)
    } else {
        d.uniform(0.0, 18.0)
    };
    Growth {
        shape: Ellipsoid::new(centre, radii),
        hu,
        core: if d.chance(0.5) {
            d.uniform(20.0, 50.0)
        } else {
            hu
        },
        lobes: [
            if tumor { d.uniform(0.02, 0.1) } else { 0.0 },
            d.uniform(0.0, TAU),
            d.uniform(0.0, TAU),
        ],
        label: if tumor { 2 } else { 1 },
    }
}

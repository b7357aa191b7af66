//! Which buffers may share memory: lifetimes to slots.

/// When a buffer holds something that is still needed, in kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Size in bytes.
    pub bytes: u64,
    /// The first kernel that writes it.
    pub first: usize,
    /// The last kernel that reads or writes it.
    pub last: usize,
}

impl Lifetime {
    /// Whether both are needed at some moment.
    pub fn meets(&self, other: &Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// Slots of memory, and which of them each buffer is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The size of each slot in bytes, the largest first.
    pub slots: Vec<u64>,
    /// The slot of each buffer.
    pub slot_of: Vec<usize>,
}

/// Gives every buffer a slot such that no two buffers alive at once share one.
///
/// The largest buffer chooses first; each takes the slot it fills best among those that are free while it lives. A
/// slot is as large as its first, and so largest, buffer.
pub fn assign(buffers: &[Lifetime]) -> Assignment {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|&at| (std::cmp::Reverse(buffers[at].bytes), buffers[at].first, at));
    let mut slots: Vec<u64> = Vec::new();
    let mut residents: Vec<Vec<usize>> = Vec::new();
    let mut slot_of = vec![0; buffers.len()];
    for at in order {
        let free = (0..slots.len())
            .filter(|&slot| {
                residents[slot]
                    .iter()
                    .all(|&other| !buffers[at].meets(&buffers[other]))
            })
            .min_by_key(|&slot| (slots[slot], slot));
        let slot = free.unwrap_or_else(|| {
            slots.push(buffers[at].bytes);
            residents.push(Vec::new());
            slots.len() - 1
        });
        residents[slot].push(at);
        slot_of[at] = slot;
    }
    Assignment { slots, slot_of }
}
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chain_needs_two_slots() {
        let chain: Vec<_> = (0..6)
            .map(|at| Lifetime {
                bytes: 64,
                first: at,
                last: at + 1,
            })
            .collect();
        assert_eq!(assign(&chain).slots, [64, 64]);
    }

    proptest! {
        #[test]
        fn no_two_live_buffers_share_a_slot(
            raw in prop::collection::vec((1u64..1000, 0usize..40, 0usize..12), 0..60)
        ) {
            let buffers: Vec<_> =
                raw.iter().map(|&(bytes, first, long)| Lifetime { bytes, first, last: first + long }).collect();
            let assignment = assign(&buffers);
            for (i, a) in buffers.iter().enumerate() {
                prop_assert!(assignment.slots[assignment.slot_of[i]] >= a.bytes);
                for (j, b) in buffers.iter().enumerate().skip(i + 1) {
                    prop_assert!(!a.meets(b) || assignment.slot_of[i] != assignment.slot_of[j]);
                }
            }
            let sum: u64 = buffers.iter().map(|buffer| buffer.bytes).sum();
            prop_assert!(assignment.slots.iter().sum::<u64>() <= sum);
        }
    }
}

//! Orders of execution, as a function of the dependencies alone.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The numbers below `count`, each after those that `before` gives for it. Of several that are ready, the one with the
/// smallest key comes first, so that the order is the same each time.
///
/// # Errors
/// The numbers that wait for each other.
pub(crate) fn ordered<K: Ord>(
    count: usize,
    before: impl Fn(usize) -> Vec<usize>,
    key: impl Fn(usize) -> K,
) -> Result<Vec<usize>, Vec<usize>> {
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); count];
    let mut waits = Vec::with_capacity(count);
    for at in 0..count {
        let mut before = before(at);
        before.sort_unstable();
        before.dedup();
        waits.push(before.len());
        for earlier in before {
            after[earlier].push(at);
        }
    }
    let entry = |at: usize| Reverse((key(at), at));
    let mut ready: BinaryHeap<_> = (0..count).filter(|&at| waits[at] == 0).map(entry).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse((_, at))) = ready.pop() {
        order.push(at);
        for &later in &after[at] {
            waits[later] -= 1;
            if waits[later] == 0 {
                ready.push(entry(later));
            }
        }
    }
    if order.len() == count {
        Ok(order)
    } else {
        Err((0..count).filter(|&at| waits[at] > 0).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_key_that_is_ready_comes_first() {
        let before = |at: usize| if at == 0 { vec![3] } else { Vec::new() };
        assert_eq!(ordered(4, before, |at| at), Ok(vec![1, 2, 3, 0]));
    }

    #[test]
    fn those_that_wait_for_each_other_are_named() {
        let before = |at: usize| match at {
            1 => vec![2],
            2 => vec![1],
            _ => Vec::new(),
        };
        assert_eq!(ordered(3, before, |at| at), Err(vec![1, 2]));
    }
}

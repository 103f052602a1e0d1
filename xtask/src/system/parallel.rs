//! Does work for several items at once, in threads that end before the call returns.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `work` for every item, at most `threads` at a time; the results stand in the items' order.
///
/// After a failure no further item is begun, and the work under way is finished. Of several failures, that
/// of the first item in the list is returned.
pub fn map<'a, T: Sync, R: Send, E: Send>(
    items: &'a [T],
    threads: usize,
    work: impl Fn(&'a T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Result<R, E>>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let worker = || {
        while let Some(item) = {
            let index = next.fetch_add(1, Ordering::Relaxed);
            items.get(index).map(|item| (index, item))
        } {
            let (index, item) = item;
            let result = work(item);
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            // No other thread uses this slot.
            if let Ok(mut slot) = done[index].lock() {
                *slot = Some(result);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(worker);
        }
        worker();
    });
    // An item that was never begun has no result, and comes after one that failed.
    done.into_iter().filter_map(|slot| slot.into_inner().ok().flatten()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::map;

    #[test]
    fn results_stand_in_order_and_as_many_as_allowed_run_at_once() {
        for (threads, expected) in [(1, 1), (3, 3), (99, 20)] {
            // The first end when as many have begun.
            let together = Barrier::new(expected);
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let items: Vec<usize> = (0..20).collect();
            let squares: Result<Vec<_>, ()> = map(&items, threads, |item| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                if *item < expected {
                    together.wait();
                }
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(item * item)
            });
            assert_eq!(squares.unwrap(), (0..20).map(|item| item * item).collect::<Vec<usize>>());
            assert_eq!(most.into_inner(), expected);
        }
        let none: Result<Vec<()>, ()> = map(&[0; 0], 4, |_| Ok(()));
        assert_eq!(none, Ok(Vec::new()));
    }

    #[test]
    fn after_a_failure_no_further_item_is_begun() {
        let begun = AtomicUsize::new(0);
        let items: Vec<usize> = (0..1000).collect();
        let result: Result<Vec<()>, usize> = map(&items, 2, |item| {
            begun.fetch_add(1, Ordering::SeqCst);
            if *item == 5 { Err(*item) } else { Ok(()) }
        });
        assert_eq!(result, Err(5));
        assert!(begun.into_inner() < 1000, "every item was begun after the failure");
    }
}

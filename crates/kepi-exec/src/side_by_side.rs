//! Work on several threads at once, whose results come back in the order of the tasks.

use crate::ExecError;
use crate::run::STACK_BYTES;
use kepi_threads::{AtWork, give_way};
use std::sync::{Mutex, PoisonError};

/// Does each task on one of up to `threads` threads, this one included, and gives the results in the order of the tasks.
///
/// Errors: that of the first task, in their order, that failed; a thread that could not be started or stopped.
pub(crate) fn side_by_side<T: Send, R: Send>(
    threads: usize,
    tasks: Vec<T>,
    work: impl Fn(T) -> Result<R, ExecError> + Sync,
) -> Result<Vec<R>, ExecError> {
    let count = tasks.len();
    if threads < 2 || count < 2 {
        return tasks.into_iter().map(work).collect();
    }
    let waiting = Mutex::new(tasks.into_iter().enumerate());
    let done = Mutex::new((0..count).map(|_| None).collect::<Vec<Option<Result<R, ExecError>>>>());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        while let Some((number, task)) = next() {
            let result = work(task);
            let failed = result.is_err();
            done.lock().unwrap_or_else(PoisonError::into_inner)[number] = Some(result);
            if failed {
                // Nobody reads what the others would give.
                while next().is_some() {}
            }
        }
    };
    let other = || {
        let _at_work = AtWork::begin_beside();
        worker();
    };
    let _at_work = AtWork::begin();
    std::thread::scope(|scope| {
        let mut others = Vec::new();
        for _ in 1..threads.min(count) {
            let thread = std::thread::Builder::new().name("kepi-part".into()).stack_size(STACK_BYTES);
            let thread = thread.spawn_scoped(scope, other);
            others.push(thread.map_err(|e| ExecError::Failed(format!("no thread: {e}")))?);
            give_way();
        }
        worker();
        let ended = others.into_iter().all(|thread| thread.join().is_ok());
        ended.then_some(()).ok_or_else(|| ExecError::Failed("an operator stopped unexpectedly".into()))
    })?;
    let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut results = Vec::with_capacity(count);
    let mut missing = false;
    for result in done {
        match result {
            Some(result) => results.push(result?),
            None => missing = true,
        }
    }
    match missing {
        true => Err(ExecError::Failed("a part of the work was not done".into())),
        false => Ok(results),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that cannot go on has failed.
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_tasks() {
        for threads in [1, 2, 5, 40] {
            let found = side_by_side(threads, (0..17).collect(), |n: u64| Ok(n * n)).unwrap();
            assert_eq!(found, (0..17).map(|n| n * n).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_error_ends_it() {
        let work = |n: u64| if n == 3 { Err(ExecError::Cancelled) } else { Ok(n) };
        for threads in [1, 2, 5] {
            assert!(matches!(side_by_side(threads, (0..9).collect(), work), Err(ExecError::Cancelled)));
        }
    }
}

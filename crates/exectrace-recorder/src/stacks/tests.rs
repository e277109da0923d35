//! The walk, on stacks and on made-up chains. With and without frame pointers.

use std::ptr;

use super::*;
use crate::cpu::WalkEnd;

/// Calls `f` with some frames of its own in between.
#[inline(never)]
fn deeper(frames: usize, f: &dyn Fn()) {
    if frames == 0 {
        f();
    } else {
        deeper(frames - 1, f);
    }
    std::hint::black_box(frames);
}

/// Watches a poll of a task with this data pointer; the stacks of it, in words.
#[inline(never)]
fn observed(data: usize, f: impl FnOnce()) -> Vec<u64> {
    let poll = ObservedPoll::new(data);
    let observation = Observation::begin(&poll);
    f();
    observation.map_or_else(Vec::new, |observation| observation.words())
}

/// Words, where there are frame pointers.
fn if_walked(words: usize) -> usize {
    if has_frame_pointers() { words } else { 0 }
}

#[test]
fn a_stack_has_the_frames_between_the_poll_and_the_clone() {
    let shallow = observed(1, || deeper(3, &|| capture(1)));
    let deep = observed(1, || deeper(10, &|| capture(1)));
    assert_eq!(deep.len(), shallow.len() + if_walked(7));
    assert_eq!(deep.is_empty(), !has_frame_pointers());
    assert!(!deep.contains(&SEPARATOR));
}

#[test]
fn a_deep_stack_is_cut_at_its_root_end() {
    let words = observed(1, || deeper(500, &|| capture(1)));
    assert_eq!(words.len(), if_walked(MAX_FRAMES));
}

#[test]
fn clones_of_other_wakers_are_not_of_this_task() {
    assert_eq!(observed(1, || deeper(3, &|| capture(2))), []);
    capture(1);
}

#[test]
fn the_first_stacks_of_a_poll_and_the_last_are_kept() {
    let one = observed(1, || deeper(1, &|| capture(1))).len();
    let words = observed(1, || {
        for frames in std::hint::black_box(vec![1, 2, 2, 3, 4, 9]) {
            deeper(frames, &|| capture(1));
        }
    });
    let lengths: Vec<usize> = words
        .split(|&word| word == SEPARATOR)
        .map(<[u64]>::len)
        .collect();
    let expected = [one, one + 1, one + 2, one + 8];
    if has_frame_pointers() {
        assert_eq!(lengths, expected);
    } else {
        assert_eq!(lengths, [0]);
    }
}

#[test]
fn polls_nest_and_a_panic_gives_the_outer_one_its_place_back() {
    let mut inner = Vec::new();
    let outer = observed(1, || {
        deeper(1, &|| capture(1));
        inner = observed(2, || deeper(5, &|| capture(2)));
        let panic = std::panic::catch_unwind(|| {
            let poll = ObservedPoll::new(3);
            let _observation = Observation::begin(&poll);
            deeper(1, &|| capture(3));
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(panic.is_err());
        deeper(2, &|| capture(1));
    });
    let separators = outer.iter().filter(|&&word| word == SEPARATOR).count();
    assert_eq!(separators, if_walked(1));
    assert_eq!(inner.is_empty(), !has_frame_pointers());
    assert!(!is_observing());
}

/// The data of the innermost observed poll, and of all it is inside.
fn chain() -> Vec<usize> {
    ARENA.with(|arena| {
        let mut chain = Vec::new();
        let mut next = arena.innermost();
        while let Some(poll) = next {
            chain.push(poll.data);
            // SAFETY: rule 1.
            next = unsafe { poll.outer.get().as_ref() };
        }
        chain
    })
}

#[test]
fn polls_of_coroutines_that_end_in_any_order_leave_only_those_that_have_not_ended() {
    // Every order in which three ends can follow three begins.
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let watches = [0, 1, 2].map(ObservedPoll::new);
        let mut observation: Vec<_> = watches
            .iter()
            .map(|poll| Some(Observation::link(poll)))
            .collect();
        let mut open = vec![2, 1, 0];
        assert_eq!(chain(), open);
        for end in order {
            observation[end] = None;
            open.retain(|&data| data != end);
            assert_eq!(chain(), open, "{order:?}");
            // What begins now is inside those that are left, and takes none of their stacks.
            deeper(1, &|| capture(end));
            let inner = ObservedPoll::new(9);
            let begun = Observation::link(&inner);
            assert_eq!(chain()[1..], open);
            drop(begun);
        }
        assert!(!is_observing());
    }
}

#[test]
fn many_polls_one_inside_the_other_run_out_of_room_and_of_nothing_else() {
    fn nest(depth: usize) {
        if depth > 0 {
            observed(depth, || {
                deeper(20, &|| capture(depth));
                nest(depth - 1);
            });
        }
    }
    nest(40);
    assert!(!is_observing());
    let afterwards = observed(1, || deeper(3, &|| capture(1)));
    assert_eq!(afterwards.is_empty(), !has_frame_pointers());
}

#[test]
fn a_walk_reads_nothing_outside_its_bounds_whatever_the_chain_says() {
    // Two words each; a chain that leads where no reading is allowed must end there.
    let mut records = [[0_usize; 2]; 8];
    let base = ptr::from_ref(&records).addr();
    let limit = base + size_of_val(&records);
    let at = |index: usize| base + index * 16;
    let walked = |first: usize, last: usize, records: &[[usize; 2]; 8]| {
        let mut found = Vec::new();
        std::hint::black_box(records);
        // SAFETY: all between the two addresses is the array, which is live.
        let complete = unsafe {
            walk::walk(first, base, limit, last, |address| {
                found.push(address);
                true
            })
        };
        (complete, found)
    };
    for (index, record) in records.iter_mut().enumerate() {
        *record = [at(index + 1), 100 + index];
    }
    let complete = walked(at(0), at(8), &records);
    let can_walk = cfg!(all(
        target_os = "linux",
        any(target_arch = "x86_64", target_arch = "aarch64")
    ));
    let expected: Vec<u64> = (101..108).collect();
    assert_eq!(
        complete,
        if can_walk {
            (true, expected)
        } else {
            (false, Vec::new())
        }
    );
    // Off the end, back, to itself, between words, past either bound, to nowhere.
    for astray in [
        limit,
        at(2),
        at(3),
        at(4) + 4,
        base - 16,
        limit - 8,
        0,
        usize::MAX,
        8,
    ] {
        records[3][0] = astray;
        let (complete, found) = walked(at(0), at(9), &records);
        assert!(!complete, "{astray:#x}");
        assert!(found.len() <= 3, "{astray:#x}: {found:?}");
    }
    for first in [base - 16, limit, limit - 8, 1, usize::MAX] {
        assert_eq!(
            walked(first, at(9), &records),
            (false, Vec::new()),
            "{first:#x}"
        );
    }
}

#[test]
fn a_thread_is_not_walked_on_a_stack_that_is_not_its_own() {
    let own = ThreadStack::of_this_thread();
    let here = 0_u8;
    assert_eq!(
        own.contains(ptr::from_ref(&here).addr()),
        cfg!(target_os = "linux")
    );
    let elsewhere = Box::new(0_u8);
    assert!(!own.contains(ptr::from_ref(&*elsewhere).addr()));
    let other = std::thread::spawn(ThreadStack::of_this_thread)
        .join()
        .unwrap();
    assert!(!other.contains(ptr::from_ref(&here).addr()));
}

#[test]
fn hashes_differ_with_the_stack_and_not_with_the_poll() {
    let hash = |frames: usize| {
        let poll = ObservedPoll::new(1);
        let observation = Observation::begin(&poll);
        deeper(frames, &|| capture(1));
        observation.and_then(|observation| observation.end(1))
    };
    let hashes: Vec<_> = [3, 4, 3].into_iter().map(hash).collect();
    assert_eq!(hashes[0].is_some(), has_frame_pointers());
    assert_eq!(hashes[0] == hashes[1], !has_frame_pointers());
    assert_eq!(hashes[0], hashes[2]);
}

/// A walk over interrupted code from `frame`, over words that stand for a stack: where it ended, and what it found.
fn interrupted(frame: usize, last: usize, words: &[usize]) -> (WalkEnd, Vec<u64>) {
    let here = words.as_ptr().addr();
    let limit = here + size_of_val(words);
    let mut found = Vec::new();
    std::hint::black_box(words);
    // SAFETY: all bytes between the two addresses are those of `words`, which is borrowed meanwhile.
    let end = unsafe {
        walk_interrupted(frame, here, limit, last, |address| {
            found.push(address);
            true
        })
    };
    (end, found)
}

#[test]
fn a_walk_over_interrupted_code_ends_at_the_poll_the_root_or_where_the_chain_breaks() {
    let mut words = [0_usize; 12];
    let base = words.as_ptr().addr();
    let at = |word: usize| base + 8 * word;
    (words[0], words[1]) = (at(4), 11);
    (words[4], words[5]) = (at(8), 12);
    (words[8], words[9]) = (0, 13);
    let known = |end, found: &[u64]| match walk::IS_KNOWN {
        true => (end, found.to_vec()),
        false => (WalkEnd::Open, Vec::new()),
    };
    assert_eq!(
        interrupted(at(0), 0, &words),
        known(WalkEnd::Root, &[11, 12, 13])
    );
    assert_eq!(
        interrupted(at(0), at(8), &words),
        known(WalkEnd::Poll, &[11, 12])
    );
    assert_eq!(
        interrupted(at(4), at(4), &words),
        (WalkEnd::Poll, Vec::new())
    );
    // A first frame that returns nowhere.
    words[9] = 0;
    assert_eq!(
        interrupted(at(0), 0, &words),
        known(WalkEnd::Root, &[11, 12])
    );
    for astray in [
        at(0),
        at(2),
        at(4),
        at(11),
        at(12),
        at(9) + 4,
        base - 16,
        usize::MAX,
    ] {
        words[4] = astray;
        assert_eq!(
            interrupted(at(0), 0, &words),
            known(WalkEnd::Open, &[11, 12]),
            "{astray:#x}"
        );
        let (_, found) = interrupted(astray, 0, &words[..0]);
        assert!(found.is_empty());
    }
}

/// Whatever the register and the stack hold: a read outside of the words would be seen by AddressSanitizer, and one
/// that is not of a page of ours ends the process.
#[test]
fn a_walk_over_garbage_reads_nothing_outside_of_the_stack_and_ends() {
    const WORDS: usize = 64;
    let mut words = vec![0_usize; WORDS];
    let base = words.as_ptr().addr();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let mut deepest = 0;
    for _ in 0..20_000 {
        for word in &mut words {
            let random = next();
            // Mostly near, often aligned, sometimes anything.
            *word = match random % 8 {
                0 => random,
                1 => base.wrapping_add(random >> 40).wrapping_sub(1 << 20),
                2 => base + (random >> 8) % (8 * WORDS + 32),
                _ => base + 8 * ((random >> 8) % (WORDS + 4)),
            };
        }
        let frame = match next() % 4 {
            0 => next(),
            _ => words[next() % WORDS],
        };
        let (_, found) = interrupted(frame, words[next() % WORDS], &words);
        assert!(found.len() <= WORDS / 2);
        deepest = deepest.max(found.len());
    }
    assert_eq!(deepest > 3, walk::IS_KNOWN, "{deepest}");
}

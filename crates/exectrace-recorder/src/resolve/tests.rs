//! The resolver on real stacks: tasks of this program that wait on each of Tokio's resources.
//!
//! Without frame pointers there are no stacks, and the tests see to it that none is made up. With
//! `RUSTFLAGS="-C force-frame-pointers=yes"` they are whole.

use exectrace_format::conventions::{
    CHANNEL_RECEIVE, CHANNEL_SEND, NETWORK, SELECT, SLEEP, SYNC, YIELD,
};
use std::future::pending;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::reason::{JOIN, WATCH};
use super::*;
use crate::stacks::{Observation, ObservedPoll, has_frame_pointers};
use crate::{AsyncTaskId, PollState, Runtime, observe_poll};

/// Longer than any test.
const HOUR: Duration = Duration::from_secs(3600);

struct NoWake;

impl Wake for NoWake {
    fn wake(self: Arc<Self>) {}
}

/// The addresses of the stacks where `future` waits, as in a record.
#[inline(never)]
fn stacks_of(future: Pin<&mut (dyn Future<Output = ()> + '_)>) -> Vec<u64> {
    let waker = Waker::from(Arc::new(NoWake));
    let runtime = Runtime::register("test");
    let task = AsyncTaskId::unique();
    let context = &mut Context::from_waker(&waker);
    // Nothing records, so it substitutes the waker and no more.
    observe_poll(runtime, task, &mut PollState::new(), context, |context| {
        let poll = ObservedPoll::new(context.waker().data().addr());
        let observation = Observation::begin(&poll);
        assert_eq!(future.poll(context), Poll::Pending);
        observation.map_or_else(Vec::new, |observation| observation.words())
    })
}

/// What a future waits for, and the frames that are shown.
fn waits(future: impl Future<Output = ()>) -> (Option<&'static str>, Vec<String>) {
    let future = pin!(future);
    let stack = Resolver::new().await_stack(&stacks_of(future));
    let names = stack
        .frames
        .into_iter()
        .map(|frame| frame.function)
        .collect();
    (stack.reason, names)
}

fn in_tokio(f: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(f);
}

/// Checks what a future waits for, and that the resource comes first: so much of its path as is left
/// where the compiler has inlined all it can.
macro_rules! expect {
    ($reason:expr, $resource:literal, $future:expr) => {
        let (reason, names) = waits(async {
            let _ = $future.await;
        });
        if has_frame_pointers() {
            assert_eq!(reason, $reason, "{names:#?}");
            assert!(names[0].contains($resource), "{names:#?}");
        } else {
            assert_eq!((reason, names), (None, Vec::new()));
        }
    };
}

/// The reasons that a stack may give, if there is one.
fn one_of<'a>(reasons: &'a [Option<&'static str>]) -> &'a [Option<&'static str>] {
    if has_frame_pointers() {
        reasons
    } else {
        &[None]
    }
}

#[test]
fn channels_are_told_apart_by_their_ends() {
    in_tokio(async {
        let (sender, mut receiver) = mpsc::channel::<u8>(1);
        expect!(Some(CHANNEL_RECEIVE), "tokio::sync", receiver.recv());
        sender.send(1).await.unwrap();
        expect!(Some(CHANNEL_SEND), "mpsc", sender.send(2));
        expect!(Some(CHANNEL_SEND), "mpsc", sender.reserve());
        let (_sender, mut receiver) = mpsc::unbounded_channel::<u8>();
        expect!(Some(CHANNEL_RECEIVE), "tokio::sync", receiver.recv());
        let (mut sender, receiver) = oneshot::channel::<u8>();
        // All of it but what both ends share may be inlined.
        let (reason, _) = waits(async { sender.closed().await });
        assert!(one_of(&[Some(CHANNEL_SEND), Some(CHANNEL_RECEIVE)]).contains(&reason));
        expect!(Some(CHANNEL_RECEIVE), "oneshot", receiver);
        let (_sender, mut receiver) = watch::channel(1);
        // Called through a pointer: else all of it but the notification inside may be inlined, and its budget too.
        let changed: Pin<Box<dyn Future<Output = _>>> = Box::pin(receiver.changed());
        let changed = std::hint::black_box(changed);
        let (reason, names) = waits(async { changed.await.unwrap() });
        let expected = one_of(&[Some(CHANNEL_RECEIVE), Some(WATCH)]);
        assert!(expected.contains(&reason), "{reason:?}: {names:#?}");
        let (_sender, mut receiver) = broadcast::channel::<u8>(1);
        expect!(Some(CHANNEL_RECEIVE), "broadcast", receiver.recv());
    });
}

#[test]
fn locks_and_notifications_are_synchronisation() {
    in_tokio(async {
        let mutex = Mutex::new(());
        let _held = mutex.lock().await;
        expect!(Some(SYNC), "tokio::sync", mutex.lock());
        let lock = RwLock::new(());
        let _held = lock.write().await;
        expect!(Some(SYNC), "tokio::sync", lock.read());
        expect!(Some(SYNC), "tokio::sync", Semaphore::new(0).acquire());
        expect!(Some(SYNC), "tokio::sync", Notify::new().notified());
        let barrier = Barrier::new(2);
        let (reason, _) = waits(async { _ = barrier.wait().await });
        assert!(one_of(&[Some(SYNC), Some(WATCH)]).contains(&reason));
    });
}

#[test]
fn timers_sockets_and_tasks_have_reasons_of_their_own() {
    in_tokio(async {
        expect!(Some(SLEEP), "tokio::time", sleep(HOUR));
        let mut interval = tokio::time::interval(HOUR);
        interval.tick().await;
        expect!(Some(SLEEP), "tokio::time", interval.tick());
        expect!(Some(YIELD), "tokio::", tokio::task::yield_now());
        expect!(Some(JOIN), "JoinHandle", tokio::spawn(pending::<()>()));
        let mut set = tokio::task::JoinSet::new();
        set.spawn(pending::<()>());
        expect!(Some(JOIN), "tokio::", set.join_next());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        expect!(Some(NETWORK), "tokio::", listener.accept());
        let address = listener.local_addr().unwrap();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        expect!(Some(NETWORK), "tokio::", stream.read_u8());
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        expect!(Some(NETWORK), "tokio::", socket.recv(&mut [0; 8]));
    });
}

#[test]
fn a_timeout_waits_for_what_it_guards() {
    in_tokio(async {
        let (_sender, mut receiver) = mpsc::channel::<u8>(1);
        expect!(
            Some(CHANNEL_RECEIVE),
            "tokio::sync",
            timeout(HOUR, receiver.recv())
        );
    });
}

/// Keeps the compiler from making one function of two.
fn boxed<'a>(future: impl Future<Output = ()> + 'a) -> Pin<Box<dyn Future<Output = ()> + 'a>> {
    std::hint::black_box(Box::pin(future))
}

async fn outer(receiver: &mut mpsc::Receiver<u8>) {
    boxed(inner(receiver)).await;
}

async fn inner(receiver: &mut mpsc::Receiver<u8>) {
    tokio::select! {
        _ = receiver.recv() => {}
        () = sleep(HOUR) => {}
    }
}

#[test]
fn the_functions_of_the_program_follow_the_resource() {
    in_tokio(async {
        let (_sender, mut receiver) = mpsc::channel::<u8>(1);
        let (reason, names) = waits(boxed(outer(&mut receiver)));
        if has_frame_pointers() {
            assert_eq!(reason, Some(SELECT), "{names:#?}");
            let place = |wanted: &str| names.iter().position(|name| name.ends_with(wanted));
            let (inner, outer) = (place("::inner"), place("::outer"));
            assert!(inner.is_some() && inner < outer, "{names:#?}");
        } else {
            assert_eq!(names, Vec::<String>::new());
        }
    });
}

#[test]
fn an_address_of_no_module_and_one_of_this_function_are_told_apart() {
    let mut resolver = Resolver::new();
    let here = an_address_of_no_module_and_one_of_this_function_are_told_apart as fn();
    let name = resolver.function(here as usize as u64 + 1);
    assert!(name.ends_with("an_address_of_no_module_and_one_of_this_function_are_told_apart"));
    assert_eq!(resolver.function(17), "0x10");
    assert_eq!(resolver.function(0), "0x0");
    assert_eq!(resolver.function(u64::MAX), format!("{:#x}", u64::MAX - 1));
}

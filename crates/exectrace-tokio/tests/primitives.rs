//! Each of Tokio's primitives, made to wait: the reason in the trace is the one in the table of
//! `REASONS.md`, in the build at hand.

mod support;

use std::collections::BTreeMap;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use exectrace_format::GoState;
use exectrace_format::conventions::WaitSource;
use exectrace_tokio::spawn_named;
use support::{Trace, record, runtime, turn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixStream};
use tokio::sync::{
    Barrier, Mutex, Notify, OnceCell, RwLock, Semaphore, broadcast, mpsc, oneshot, watch,
};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{interval, sleep, timeout};

/// The page with the table, which is a part of the documentation.
const PAGE: &str = include_str!("../REASONS.md");

const SHORT: Duration = Duration::from_millis(1);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What waits, and what ends the wait once it does.
struct Pair {
    waiter: Work,
    ender: Work,
}

fn pair(
    waiter: impl Future<Output = ()> + Send + 'static,
    ender: impl Future<Output = ()> + Send + 'static,
) -> Pair {
    Pair {
        waiter: Box::pin(waiter),
        ender: Box::pin(ender),
    }
}

/// A wait that ends without anybody's help.
fn alone(waiter: impl Future<Output = ()> + Send + 'static) -> Pair {
    pair(waiter, async {})
}

async fn channels(row: &str) -> Option<Pair> {
    Some(match row {
        "`mpsc` `recv`" => {
            let (send, mut receive) = mpsc::channel::<u8>(1);
            let waiter = async move { assert_eq!(receive.recv().await, Some(1)) };
            pair(waiter, async move { send.send(1).await.unwrap() })
        }
        "`mpsc` `send`" => {
            let (send, mut receive) = mpsc::channel::<u8>(1);
            send.send(1).await.unwrap();
            let ender = async move { assert_eq!(receive.recv().await, Some(1)) };
            pair(async move { _ = send.send(2).await }, ender)
        }
        "`mpsc` unbounded `recv`" => {
            let (send, mut receive) = mpsc::unbounded_channel::<u8>();
            let waiter = async move { assert_eq!(receive.recv().await, Some(1)) };
            pair(waiter, async move { send.send(1).unwrap() })
        }
        "`oneshot`" => {
            let (send, receive) = oneshot::channel::<u8>();
            let waiter = async move { assert_eq!(receive.await, Ok(1)) };
            pair(waiter, async move { send.send(1).unwrap() })
        }
        "`broadcast` `recv`" => {
            let (send, mut receive) = broadcast::channel::<u8>(1);
            let waiter = async move { assert_eq!(receive.recv().await, Ok(1)) };
            pair(waiter, async move { assert_eq!(send.send(1).unwrap(), 1) })
        }
        "`watch` `changed`" => {
            let (send, mut receive) = watch::channel(0_u8);
            let waiter = async move { receive.changed().await.unwrap() };
            pair(waiter, async move { send.send(1).unwrap() })
        }
        _ => return None,
    })
}

async fn locks(row: &str) -> Option<Pair> {
    Some(match row {
        "`Mutex`" => {
            let mutex = Arc::new(Mutex::new(0_u8));
            let held = Arc::clone(&mutex).lock_owned().await;
            let waiter = async move { *mutex.lock().await += 1 };
            pair(waiter, async move { drop(held) })
        }
        "`RwLock` `read`" => {
            let lock = Arc::new(RwLock::new(0_u8));
            let held = Arc::clone(&lock).write_owned().await;
            let waiter = async move { assert_eq!(*lock.read().await, 0) };
            pair(waiter, async move { drop(held) })
        }
        "`RwLock` `write`" => {
            let lock = Arc::new(RwLock::new(0_u8));
            let held = Arc::clone(&lock).read_owned().await;
            let waiter = async move { *lock.write().await += 1 };
            pair(waiter, async move { drop(held) })
        }
        "`Semaphore`" => {
            let semaphore = Arc::new(Semaphore::new(0));
            let other = Arc::clone(&semaphore);
            let waiter = async move { _ = semaphore.acquire().await.unwrap() };
            pair(waiter, async move { other.add_permits(1) })
        }
        "`Notify`" => {
            let notify = Arc::new(Notify::new());
            let other = Arc::clone(&notify);
            let waiter = async move { notify.notified().await };
            pair(waiter, async move { other.notify_one() })
        }
        "`Barrier`" => {
            let barrier = Arc::new(Barrier::new(2));
            let other = Arc::clone(&barrier);
            let waiter = async move { _ = barrier.wait().await };
            pair(waiter, async move { _ = other.wait().await })
        }
        "`OnceCell`" => {
            let cell = Arc::new(OnceCell::<u8>::new());
            let (other, notify) = (Arc::clone(&cell), Arc::new(Notify::new()));
            let (begun, go_on) = (Arc::new(Notify::new()), Arc::clone(&notify));
            let has_begun = Arc::clone(&begun);
            // Another task is in the middle of making the value.
            let maker = spawn_named("maker", async move {
                let make = async {
                    begun.notify_one();
                    notify.notified().await;
                    1
                };
                assert_eq!(*other.get_or_init(|| make).await, 1);
            });
            has_begun.notified().await;
            let waiter = async move { assert_eq!(*cell.get_or_init(|| async { 2 }).await, 1) };
            let ender = async move {
                go_on.notify_one();
                maker.await.unwrap();
            };
            pair(waiter, ender)
        }
        _ => return None,
    })
}

async fn timers_and_tasks(row: &str) -> Option<Pair> {
    Some(match row {
        "`sleep`" => alone(async { sleep(SHORT).await }),
        "`interval` `tick`" => alone(async {
            let mut ticks = interval(SHORT);
            ticks.tick().await;
            ticks.tick().await;
        }),
        "`timeout` of nothing else" => alone(async { _ = timeout(SHORT, pending::<()>()).await }),
        "`timeout` of a `recv`" => {
            let (send, mut receive) = mpsc::channel::<u8>(1);
            let waiter = async move { _ = timeout(SHORT * 60_000, receive.recv()).await };
            pair(waiter, async move { send.send(1).await.unwrap() })
        }
        "`JoinHandle`" => {
            let (send, receive) = oneshot::channel::<()>();
            let task = spawn_named("joined", async { receive.await.unwrap() });
            let waiter = async move { task.await.unwrap() };
            pair(waiter, async move { send.send(()).unwrap() })
        }
        "`JoinSet` `join_next`" => {
            let (send, receive) = oneshot::channel::<()>();
            let mut set = JoinSet::new();
            set.spawn(async { receive.await.unwrap() });
            let waiter = async move { set.join_next().await.unwrap().unwrap() };
            pair(waiter, async move { send.send(()).unwrap() })
        }
        "`yield_now`" => alone(yield_now()),
        "`spawn_blocking`, this crate's" => {
            let (send, receive) = sync_channel::<()>(0);
            let call = exectrace_tokio::spawn_blocking(move || receive.recv().unwrap());
            let waiter = async move { call.await.unwrap() };
            pair(waiter, async move { send.send(()).unwrap() })
        }
        "`spawn_blocking`, Tokio's" => {
            let (send, receive) = sync_channel::<()>(0);
            let call = tokio::task::spawn_blocking(move || receive.recv().unwrap());
            let waiter = async move { call.await.unwrap() };
            pair(waiter, async move { send.send(()).unwrap() })
        }
        "`tokio::fs`" => {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("pipe");
            let made = std::process::Command::new("mkfifo").arg(&path).status();
            assert!(made.unwrap().success());
            let other = path.clone();
            let waiter = async move { assert_eq!(tokio::fs::read(path).await.unwrap(), b"") };
            // Each opens its end once the other one does.
            let ender = async move {
                let written = std::fs::OpenOptions::new().write(true).open(other);
                drop((written.unwrap(), folder));
            };
            pair(waiter, ender)
        }
        "`select!` of two `recv`" => {
            let (send, mut receive) = mpsc::channel::<u8>(1);
            let (other, mut never) = oneshot::channel::<u8>();
            let waiter = async move {
                tokio::select! {
                    got = receive.recv() => assert_eq!(got, Some(1)),
                    _ = &mut never => {}
                }
            };
            let ender = async move {
                send.send(1).await.unwrap();
                drop(other);
            };
            pair(waiter, ender)
        }
        "`join!` of two `recv`" => {
            let (send, mut receive) = mpsc::channel::<u8>(1);
            let (other, last) = oneshot::channel::<u8>();
            let waiter = async move {
                let (first, second) = tokio::join!(receive.recv(), last);
                assert_eq!((first, second), (Some(1), Ok(2)));
            };
            let ender = async move {
                send.send(1).await.unwrap();
                other.send(2).unwrap();
            };
            pair(waiter, ender)
        }
        _ => return None,
    })
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

async fn sockets(row: &str) -> Option<Pair> {
    Some(match row {
        "`TcpStream::connect`" => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let waiter = async move { drop(TcpStream::connect(address).await.unwrap()) };
            pair(
                waiter,
                async move { drop(listener.accept().await.unwrap()) },
            )
        }
        "`TcpListener::accept`" => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let waiter = async move { drop(listener.accept().await.unwrap()) };
            let ender = async move { drop(TcpStream::connect(address).await.unwrap()) };
            pair(waiter, ender)
        }
        "`TcpStream` read" => {
            let (mut reader, mut writer) = tcp().await;
            let waiter = async move { assert_eq!(reader.read_u8().await.unwrap(), 1) };
            pair(waiter, async move { writer.write_u8(1).await.unwrap() })
        }
        "`TcpStream` write" => {
            let (mut reader, mut writer) = tcp().await;
            let waiter = async move {
                writer.write_all(&vec![0; 16 << 20]).await.unwrap();
            };
            let ender = async move {
                let mut buffer = vec![0; 1 << 20];
                while reader.read(&mut buffer).await.unwrap() > 0 {}
            };
            pair(waiter, ender)
        }
        "`UdpSocket` `recv`" => {
            let bind = || UdpSocket::bind("127.0.0.1:0");
            let (one, other) = (bind().await.unwrap(), bind().await.unwrap());
            let address = one.local_addr().unwrap();
            let waiter = async move { assert_eq!(one.recv(&mut [0; 4]).await.unwrap(), 1) };
            pair(
                waiter,
                async move { _ = other.send_to(&[1], address).await },
            )
        }
        "`UnixStream` read" => {
            let (mut reader, mut writer) = UnixStream::pair().unwrap();
            let waiter = async move { assert_eq!(reader.read_u8().await.unwrap(), 1) };
            pair(waiter, async move { writer.write_u8(1).await.unwrap() })
        }
        "`Child::wait`" => {
            let command = tokio::process::Command::new("sh")
                .args(["-c", "read line"])
                .stdin(std::process::Stdio::piped())
                .spawn();
            let mut child = command.unwrap();
            let input = child.stdin.take();
            let waiter = async move { assert!(!child.wait().await.unwrap().success()) };
            pair(waiter, async move { drop(input) })
        }
        "a signal" => {
            use tokio::signal::unix::{SignalKind, signal};
            let mut signals = signal(SignalKind::user_defined1()).unwrap();
            let waiter = async move { signals.recv().await.unwrap() };
            let ender = async {
                let own = std::process::id().to_string();
                let sent = std::process::Command::new("sh")
                    .args(["-c", "kill -USR1 $0", &own])
                    .status();
                assert!(sent.unwrap().success());
            };
            pair(waiter, ender)
        }
        _ => return None,
    })
}

/// How the task that waits is spawned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spawn {
    /// By this crate's function.
    Ours,
    /// By Tokio's own, so that only hooks see it.
    Tokios,
}

/// The line of the `tokio::spawn` below, which is what the trace calls the task.
const PLAIN: u32 = line!() + 3;

fn spawn_plain(future: Work) -> tokio::task::JoinHandle<()> {
    tokio::spawn(future)
}

/// What the trace says of the first wait of the task that waits in this way.
fn wait_of(row: &str, spawn: Spawn) -> (String, Trace) {
    let trace = record(|| {
        let runtime = runtime("primitives", 0);
        runtime.block_on(async {
            let pair = match (channels(row).await, locks(row).await) {
                (Some(pair), _) | (_, Some(pair)) => pair,
                _ => match (timers_and_tasks(row).await, sockets(row).await) {
                    (Some(pair), _) | (_, Some(pair)) => pair,
                    _ => panic!("nothing waits as the table's row {row}"),
                },
            };
            let waiter = match spawn {
                Spawn::Ours => spawn_named("waiter", pair.waiter),
                Spawn::Tokios => spawn_plain(pair.waiter),
            };
            // Polled after the task that waits, which has been polled once then.
            let ender = spawn_named("ender", pair.ender);
            waiter.await.unwrap();
            ender.await.unwrap();
        });
    });
    let place = format!("tests/primitives.rs:{PLAIN}");
    let is_waiter = |name: &str| name == "waiter" || name.ends_with(&place);
    let flows = trace.flows.values();
    let mut waiters = flows.filter(|flow| is_waiter(&flow.name));
    let waiter = waiters.next().expect("a task that waits");
    let is_left = |from, to| from == GoState::Running && to != GoState::NotExist;
    let mut left = waiter.states.iter();
    let first = left.find(|state| is_left(state.from, state.to));
    let first = first.unwrap_or_else(|| panic!("{row} did not wait: {waiter:?}"));
    let reason = first.reason.clone();
    (reason, trace)
}

/// The table's cells, by row and column.
fn table() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut lines = PAGE.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(cells.split(" | ").map(str::to_owned).collect::<Vec<_>>())
    });
    let is_head = |cells: &Vec<String>| cells[0] == "waits in";
    let columns = lines.find(is_head).expect("the head of the table");
    let rows = lines.map(|cells| {
        assert_eq!(cells.len(), columns.len(), "{cells:?}");
        let pairs = columns.iter().cloned().zip(cells.iter().cloned());
        (cells[0].clone(), pairs.skip(1).collect())
    });
    rows.collect()
}

#[test]
fn each_primitive_waits_for_the_reason_in_the_table() {
    let _turn = turn();
    let by_stack = match cfg!(debug_assertions) {
        true => "stack, debug",
        false => "stack, release",
    };
    let by_wakes = match cfg!(tokio_unstable) {
        true => "wakes, hooks",
        false => "wakes, stable",
    };
    let mut columns = vec![match exectrace_recorder::has_frame_pointers() {
        true => (by_stack, Spawn::Ours),
        false => (by_wakes, Spawn::Ours),
    }];
    if cfg!(tokio_unstable) {
        let column = if cfg!(feature = "tracing") {
            by_wakes
        } else {
            "neither"
        };
        columns.push((column, Spawn::Tokios));
    }
    #[cfg(feature = "tracing")]
    {
        let (subscriber, _) = exectrace_tracing::subscriber();
        tracing::subscriber::set_global_default(subscriber).expect("the first");
    }
    let mut wrong = Vec::new();
    for (row, cells) in table() {
        for &(column, spawn) in &columns {
            let wanted = &cells[column];
            let (found, _) = wait_of(&row, spawn);
            let found = match WaitSource::of(&found) {
                WaitSource::Seen => format!("{found}, seen"),
                WaitSource::Concluded => format!("{found}, concluded"),
                WaitSource::Unknown => found,
            };
            if *wanted != found {
                wrong.push(format!("{row} | {column}: {found}, not {wanted}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

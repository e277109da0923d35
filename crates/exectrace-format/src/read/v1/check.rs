//! What must hold between the events once they are in order.
//!
//! This is also where some events get the lane on which the old viewer showed them.

use crate::ids::{GoId, StringId, TaskId};
use crate::read::id_map::IdMap;

use super::dense::Dense;
use super::error::V1Error;
use super::event::{GO_ZERO, LANE_COLLECTOR, LANE_NETWORK, LANE_SYSCALLS, LANE_TIMERS, V1Event};
use super::kinds::V1Kind;
use super::wire::numbers_at;

/// The state of a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum V1GoState {
    #[default]
    Dead,
    Runnable,
    Running,
    Waiting,
}
use V1GoState::{Runnable, Running, Waiting};

/// What is known of a goroutine.
#[derive(Clone, Copy, Debug, Default)]
struct CheckedGo {
    state: V1GoState,
    /// Whether an event ever named it, also if it has ended.
    exists: bool,
    /// Whether its last event began a wait for the network.
    waits_for_network: bool,
    assists: bool,
}

/// What is known of a lane.
#[derive(Clone, Copy, Debug, Default)]
struct CheckedLane {
    runs: bool,
    go: u32,
    sweeps: bool,
}

/// The checks, event by event.
pub(super) struct V1Check<'a> {
    bytes: &'a [u8],
    go_numbers: &'a Dense,
    lane_numbers: &'a Dense,
    goroutines: Vec<CheckedGo>,
    lanes: Vec<CheckedLane>,
    /// By goroutine, whether it serves timers.
    timers: Vec<bool>,
    tasks: IdMap<()>,
    /// By goroutine, its open regions: task and name, as in the file.
    regions: IdMap<Vec<(u64, u64)>>,
    collects: bool,
    stopped: bool,
}

impl<'a> V1Check<'a> {
    pub(super) fn new(
        bytes: &'a [u8],
        go_numbers: &'a Dense,
        lane_numbers: &'a Dense,
        timers: Vec<bool>,
    ) -> Self {
        let mut goroutines = vec![CheckedGo::default(); go_numbers.len()];
        goroutines[GO_ZERO as usize] = CheckedGo {
            state: Running,
            exists: true,
            ..CheckedGo::default()
        };
        Self {
            bytes,
            go_numbers,
            lane_numbers,
            goroutines,
            lanes: vec![CheckedLane::default(); lane_numbers.len()],
            timers,
            tasks: IdMap::default(),
            regions: IdMap::default(),
            collects: false,
            stopped: false,
        }
    }

    /// Lets one event happen.
    pub(super) fn event(&mut self, event: &mut V1Event) -> Result<(), V1Error> {
        match event.kind {
            V1Kind::ProcStart | V1Kind::ProcStop => self.proc(event),
            V1Kind::GcStart => {
                event.lane = LANE_COLLECTOR;
                begin(&mut self.collects, "GC")
            }
            V1Kind::GcDone => end(&mut self.collects, "GC"),
            V1Kind::StwStart => begin(&mut self.stopped, "STW"),
            V1Kind::StwDone => end(&mut self.stopped, "STW"),
            V1Kind::GcSweepStart => begin(&mut self.lane(event).sweeps, "sweeping"),
            V1Kind::GcSweepDone => end(&mut self.lane(event).sweeps, "sweeping"),
            V1Kind::GcMarkAssistStart => {
                let go = self.go(event.go);
                go.exists = true;
                begin(&mut go.assists, "mark assist")
            }
            V1Kind::GcMarkAssistDone => {
                // It may have begun before the trace.
                let go = self.go(event.go);
                go.exists = true;
                go.assists = false;
                Ok(())
            }
            V1Kind::UserTaskCreate | V1Kind::UserTaskEnd => self.task(event),
            V1Kind::UserRegion => self.region(event),
            _ => self.go_event(event),
        }
    }

    /// The events that change or need the state of a goroutine.
    fn go_event(&mut self, event: &mut V1Event) -> Result<(), V1Error> {
        match event.kind {
            V1Kind::GoWaiting => self.go_from(event, Runnable, Waiting, "before EvGoWaiting"),
            V1Kind::GoInSyscall => self.go_from(event, Runnable, Waiting, "before EvGoInSyscall"),
            V1Kind::GoSysExit | V1Kind::GoSysExitLocal => {
                event.lane = LANE_SYSCALLS;
                self.go_from(event, Waiting, Runnable, "during syscall exit")
            }
            V1Kind::GoCreate => self.create(event),
            V1Kind::GoStart | V1Kind::GoStartLocal | V1Kind::GoStartLabel => self.start(event),
            V1Kind::GoUnblock | V1Kind::GoUnblockLocal => self.unblock(event),
            V1Kind::GoEnd | V1Kind::GoStop => {
                self.leave(event, V1GoState::Dead)?;
                if event.kind == V1Kind::GoEnd {
                    self.regions.remove(&u64::from(event.go));
                }
                Ok(())
            }
            V1Kind::GoSched | V1Kind::GoPreempt => {
                self.leave(event, Runnable)?;
                self.go(event.go).waits_for_network = false;
                Ok(())
            }
            V1Kind::GoSysCall => {
                self.running(event)?;
                self.go(event.go).waits_for_network = false;
                Ok(())
            }
            V1Kind::GoSysBlock => self.leave(event, Waiting),
            kind if kind.is_block() => {
                self.leave(event, Waiting)?;
                self.go(event.go).waits_for_network = kind == V1Kind::GoBlockNet;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn proc(&mut self, event: &V1Event) -> Result<(), V1Error> {
        let starts = event.kind == V1Kind::ProcStart;
        let proc = self.proc_number(event);
        let CheckedLane { runs, go, .. } = *self.lane(event);
        if starts == runs {
            let problem = match starts {
                true => "running before start",
                false => "not running before stop",
            };
            return Err(V1Error::Proc { proc, problem });
        }
        if !starts && go != GO_ZERO {
            let go = self.go_number(go);
            return Err(V1Error::StopWithGo { proc, go });
        }
        self.lane(event).runs = starts;
        Ok(())
    }

    /// A change of a goroutine that needs no lane.
    fn go_from(
        &mut self,
        event: &V1Event,
        from: V1GoState,
        to: V1GoState,
        when: &'static str,
    ) -> Result<(), V1Error> {
        self.needs(event.go, from, when)?;
        let go = self.go(event.go);
        go.state = to;
        go.waits_for_network = false;
        Ok(())
    }

    fn create(&mut self, event: &V1Event) -> Result<(), V1Error> {
        self.on_lane(event)?;
        let [number, ..] = self.arguments(event);
        let new = self.index_of(number);
        let go = self.go(new);
        if go.exists {
            return Err(V1Error::GoExists(GoId(number)));
        }
        *go = CheckedGo {
            state: Runnable,
            exists: true,
            ..CheckedGo::default()
        };
        Ok(())
    }

    fn start(&mut self, event: &V1Event) -> Result<(), V1Error> {
        self.needs(event.go, Runnable, "before start")?;
        let running = self.lane(event).go;
        if running != GO_ZERO {
            return Err(V1Error::ProcTaken {
                proc: self.proc_number(event),
                running: self.go_number(running),
                go: self.go_number(event.go),
            });
        }
        self.lane(event).go = event.go;
        let go = self.go(event.go);
        go.state = Running;
        go.waits_for_network = false;
        Ok(())
    }

    fn unblock(&mut self, event: &mut V1Event) -> Result<(), V1Error> {
        if self.timers.get(event.go as usize) == Some(&true) {
            event.lane = LANE_TIMERS;
        }
        self.needs(event.go, Running, "while unpark")?;
        if event.lane != LANE_TIMERS && self.lane(event).go != event.go {
            return Err(self.not_on_proc(event, "unpark"));
        }
        let [number, ..] = self.arguments(event);
        let woken = self.index_of(number);
        self.needs(woken, Waiting, "before unpark")?;
        let go = self.go(woken);
        if go.waits_for_network {
            event.lane = LANE_NETWORK;
        }
        go.state = Runnable;
        go.waits_for_network = false;
        Ok(())
    }

    /// The running goroutine stops to run.
    fn leave(&mut self, event: &V1Event, to: V1GoState) -> Result<(), V1Error> {
        self.running(event)?;
        self.go(event.go).state = to;
        self.lane(event).go = GO_ZERO;
        Ok(())
    }

    /// The event's goroutine runs on the event's lane, and is one.
    fn running(&mut self, event: &V1Event) -> Result<(), V1Error> {
        self.on_lane(event)?;
        if event.go == GO_ZERO {
            return Err(V1Error::NoGo(event.kind.spec().name));
        }
        Ok(())
    }

    /// The event's goroutine, or none, runs on the event's lane.
    fn on_lane(&mut self, event: &V1Event) -> Result<(), V1Error> {
        self.needs(event.go, Running, event.kind.spec().name)?;
        if self.lane(event).go != event.go {
            return Err(self.not_on_proc(event, event.kind.spec().name));
        }
        Ok(())
    }

    fn task(&mut self, event: &V1Event) -> Result<(), V1Error> {
        let [task, ..] = self.arguments(event);
        if event.kind == V1Kind::UserTaskEnd {
            self.tasks.remove(&task);
        } else if self.tasks.insert(task, ()).is_some() {
            return Err(V1Error::TaskConflict(TaskId(task)));
        }
        Ok(())
    }

    fn region(&mut self, event: &V1Event) -> Result<(), V1Error> {
        let [task, mode, name] = self.arguments(event);
        let go = u64::from(event.go);
        match mode {
            0 => self.regions.entry(go).or_default().push((task, name)),
            1 => {
                let Some(open) = self.regions.get_mut(&go) else {
                    return Ok(());
                };
                if let Some((open_task, open_name)) = open.pop()
                    && (open_task, open_name) != (task, name)
                {
                    return Err(V1Error::RegionMisuse {
                        go: self.go_number(event.go),
                        task: TaskId(task),
                        name: StringId(name),
                        open_task: TaskId(open_task),
                        open_name: StringId(open_name),
                    });
                }
                if open.is_empty() {
                    self.regions.remove(&go);
                }
            }
            _ => return Err(V1Error::RegionMode(mode)),
        }
        Ok(())
    }

    fn needs(&mut self, go: u32, state: V1GoState, event: &'static str) -> Result<(), V1Error> {
        if self.go(go).state == state {
            return Ok(());
        }
        Err(V1Error::GoState {
            go: self.go_number(go),
            expected: match state {
                V1GoState::Dead => "dead",
                Runnable => "runnable",
                Running => "running",
                Waiting => "waiting",
            },
            event,
        })
    }

    fn not_on_proc(&self, event: &V1Event, what: &'static str) -> V1Error {
        V1Error::NotOnProc {
            proc: self.proc_number(event),
            go: self.go_number(event.go),
            event: what,
        }
    }

    fn arguments(&self, event: &V1Event) -> [u64; 3] {
        numbers_at(self.bytes, event.at, event.kind).arguments()
    }

    /// The index of a goroutine that an event names.
    fn index_of(&self, go: u64) -> u32 {
        self.go_numbers.get(go).unwrap_or(GO_ZERO)
    }

    fn go(&mut self, index: u32) -> &mut CheckedGo {
        &mut self.goroutines[index as usize]
    }

    fn lane(&mut self, event: &V1Event) -> &mut CheckedLane {
        &mut self.lanes[event.lane as usize]
    }

    fn go_number(&self, index: u32) -> GoId {
        GoId(self.go_numbers.number(index))
    }

    fn proc_number(&self, event: &V1Event) -> i32 {
        self.lane_numbers.number(event.lane) as i32
    }
}

fn begin(open: &mut bool, range: &'static str) -> Result<(), V1Error> {
    if std::mem::replace(open, true) {
        return Err(V1Error::RangeOpen(range));
    }
    Ok(())
}

fn end(open: &mut bool, range: &'static str) -> Result<(), V1Error> {
    if !std::mem::replace(open, false) {
        return Err(V1Error::RangeNotOpen(range));
    }
    Ok(())
}

//! Spans are whole, however the file has them.

use exectrace_analysis::{Analysis, Options, RegionKind};

use crate::script::{Script, SpanRow};

fn everything() -> Options {
    Options {
        user_task_trees: vec![1],
        ..Options::all()
    }
}

fn kind<'a>(analysis: &'a Analysis, name: &str) -> &'a RegionKind {
    let kinds = &analysis.regions.as_ref().expect("asked for").kinds;
    let mut of_name = kinds.iter().filter(|kind| kind.name == name);
    let kind = of_name
        .next()
        .unwrap_or_else(|| panic!("{name} in {kinds:?}"));
    assert!(of_name.next().is_none(), "one row for {name}: {kinds:?}");
    kind
}

const SAVE: SpanRow<'_> = SpanRow {
    name: "save",
    from: 30,
    to: 190,
    busy: 40,
    entries: 3,
    flow: 1,
    task: 1,
    own_task: false,
    carried: false,
};

/// A thread enters a span three times, in which it is each time a region.
fn in_parts(script: &mut Script) -> &mut Script {
    script
        .worker(1, "main")
        .runs(10, 1, 1, "main@thread")
        .task(20, 1, 1, 0, "request");
    for begin in [30, 90, 170] {
        script
            .region(begin, 1, 1, "save")
            .part_end(begin + 10, 1, 1, "save");
    }
    script.task_end(200, 1, 1).end(300, 1)
}

#[test]
fn a_span_that_was_entered_three_times_is_one_from_first_entry_to_close() {
    let mut script = Script::default();
    let analysis = in_parts(&mut script).span(SAVE).analyse(&everything());
    let save = kind(&analysis, "save");
    assert_eq!((save.count, save.parts, save.entries), (1, 3, 3));
    assert_eq!(save.durations.buckets(), [(160, 160, 1)]);
    assert_eq!(save.busy.buckets(), [(40, 40, 1)]);
    let place = save.place.as_ref().map(|place| place.function.as_str());
    assert_eq!(place, Some("here"));
    let slowest = &save.slowest[0];
    assert_eq!((slowest.duration_ns, slowest.busy_ns), (160, Some(40)));
    let tree = &analysis.user_tasks.as_ref().expect("asked for").trees[0];
    let spans: Vec<_> = tree
        .regions
        .iter()
        .map(|span| (span.begin_ns, span.duration_ns, span.entries))
        .collect();
    assert_eq!(spans, [(Some(30), 160, Some(3))]);
}

#[test]
fn the_self_time_of_a_span_is_what_no_region_inside_it_took() {
    let mut script = Script::default();
    script
        .runs(10, 1, 1, "main@thread")
        .region(20, 1, 0, "request")
        .region(30, 1, 0, "parse")
        .region(40, 1, 0, "token")
        .region_end(45, 1, 0, "token")
        .region_end(60, 1, 0, "parse")
        .region(70, 1, 0, "reply")
        .region_end(80, 1, 0, "reply")
        .region_end(120, 1, 0, "request");
    let analysis = script.analyse(&everything());
    let own = |name| kind(&analysis, name).self_ns;
    assert_eq!(
        ["request", "parse", "token", "reply"].map(own),
        [Some(60), Some(25), Some(5), Some(10)]
    );
    // Of a span in parts it is not known what lay between them.
    let mut script = Script::default();
    let analysis = in_parts(&mut script).span(SAVE).analyse(&everything());
    assert_eq!(kind(&analysis, "save").self_ns, None);
}

#[test]
fn a_part_of_a_span_is_no_span_where_no_record_has_it() {
    let mut script = Script::default();
    let analysis = in_parts(&mut script).analyse(&everything());
    let save = kind(&analysis, "save");
    assert_eq!((save.count, save.parts), (0, 3));
    assert_eq!(save.durations.count(), 0);
}

#[test]
fn a_span_whose_regions_are_not_in_the_file_is_reported_by_its_record() {
    let mut script = Script::default();
    let other = SpanRow {
        from: 5,
        to: 250,
        ..SAVE
    };
    let analysis = in_parts(&mut script)
        .span(SAVE)
        .span(other)
        .analyse(&everything());
    let save = kind(&analysis, "save");
    assert_eq!(save.count, 2, "and stands in the row of its kind");
    assert_eq!(save.durations.max_ns(), 245);
}

#[test]
fn a_span_that_is_a_user_task_and_has_no_region_is_known_by_the_task() {
    let mut script = Script::default();
    let request = SpanRow {
        name: "request",
        from: 40,
        to: 180,
        busy: 60,
        own_task: true,
        ..SAVE
    };
    script
        .worker(1, "service worker 0")
        .runs(10, 1, 1, "serve")
        .task_at(20, 1, (1, 0, "request"), "here<serve")
        .task_end(190, 1, 1)
        .span(request);
    let analysis = script.end(300, 1).analyse(&everything());
    let request = kind(&analysis, "request");
    assert_eq!(request.durations.buckets(), [(140, 140, 1)]);
    let place = request.place.as_ref().map(|place| place.function.as_str());
    assert_eq!(place, Some("here"));
    assert_eq!(request.breakdown.running_ns, Some(60));
}

#[test]
fn a_region_that_lasts_longer_than_its_span_does_not_say_where_the_span_s_time_went() {
    let mut script = Script::default();
    let outer = SpanRow {
        name: "outer",
        from: 30,
        to: 60,
        busy: 25,
        entries: 1,
        ..SAVE
    };
    script
        .worker(1, "service worker 0")
        .runs(10, 1, 1, "serve")
        .task(20, 1, 1, 0, "request")
        .region(30, 1, 1, "outer")
        .region(50, 1, 1, "inner")
        .region_end(90, 1, 1, "inner")
        .part_end(95, 1, 1, "outer")
        .task_end(190, 1, 1)
        .span(outer);
    let analysis = script.end(300, 1).analyse(&everything());
    let breakdown = &kind(&analysis, "outer").breakdown;
    assert_eq!((breakdown.total_ns, breakdown.running_ns), (30, Some(25)));
}

/// A request waits for two branches at once, each in a span.
fn concurrent() -> Analysis {
    let mut script = Script::default();
    let branch = |task, from, to| SpanRow {
        name: "branch",
        from,
        to,
        busy: 20,
        entries: 2,
        flow: 1,
        task,
        own_task: true,
        carried: true,
    };
    script
        .worker(1, "service worker 0")
        .runs(10, 1, 1, "serve")
        .task(20, 1, 1, 0, "request")
        .region(30, 1, 1, "request")
        .carrier(40, 1, (2, 1, "branch"))
        .carrier(50, 1, (3, 1, "branch"))
        .region(55, 1, 3, "query")
        .region_end(58, 1, 3, "query")
        .block(60, 1, "network", "read<serve")
        .wake(150, 1, 1)
        .start(160, 1, 1)
        .task_end(170, 1, 2)
        .task_end(180, 1, 3)
        .region_end(190, 1, 1, "request")
        .task_end(200, 1, 1)
        .end(300, 1)
        .span(branch(2, 40, 170))
        .span(branch(3, 50, 180));
    script.analyse(&everything())
}

#[test]
fn the_breakdown_of_a_kind_is_of_the_spans_of_which_all_is_known() {
    let mut script = Script::default();
    script
        .worker(1, "service worker 0")
        .runs(10, 1, 1, "serve")
        .task(20, 1, 1, 0, "request")
        .region(30, 1, 1, "branch")
        .carrier(40, 1, (2, 1, "branch"))
        .block(60, 1, "network", "read<serve")
        .wake(150, 1, 1)
        .start(160, 1, 1)
        .task_end(170, 1, 2)
        .region_end(190, 1, 1, "branch")
        .end(300, 1)
        .span(SpanRow {
            name: "branch",
            from: 40,
            to: 170,
            busy: 20,
            entries: 2,
            flow: 1,
            task: 2,
            own_task: true,
            carried: true,
        });
    let analysis = script.analyse(&everything());
    let branch = kind(&analysis, "branch");
    assert_eq!(
        (branch.count, branch.concurrent, branch.broken_down),
        (2, 1, 1)
    );
    assert_eq!(branch.total_ns, 160 + 130);
    let times = &branch.breakdown;
    assert_eq!((times.total_ns, times.unknown_ns), (160, 0));
    assert_eq!((times.running_ns, times.waiting_ns()), (Some(60), Some(90)));
}

#[test]
fn concurrent_spans_are_whole_and_no_operations_of_their_own() {
    let analysis = concurrent();
    let branch = kind(&analysis, "branch");
    assert_eq!((branch.count, branch.parts), (2, 0));
    assert_eq!(branch.durations.buckets(), [(130, 130, 2)]);
    let place = branch.place.as_ref().map(|place| place.function.as_str());
    assert_eq!(place, Some("here"));
    assert_eq!(branch.breakdown.running_ns, Some(40));
    assert_eq!(
        branch.breakdown.waiting, None,
        "where the rest went is not known"
    );
    let user_tasks = analysis.user_tasks.as_ref().expect("asked for");
    let names: Vec<_> = user_tasks.kinds.iter().map(|kind| &kind.name).collect();
    assert_eq!(names, ["request"]);
    // What lies in a concurrent span is counted with the region around it.
    assert_eq!(user_tasks.kinds[0].breakdown.total_ns, 160);
    let tree = &user_tasks.trees[0];
    assert!(!tree.carries);
    let children: Vec<_> = tree
        .children
        .iter()
        .map(|child| {
            let span = child.span.as_ref().expect("its span");
            (child.carries, span.duration_ns, child.regions.len())
        })
        .collect();
    assert_eq!(children, [(true, 130, 0), (true, 130, 1)]);
}

#[test]
fn a_filter_leaves_out_spans_of_other_tasks() {
    let mut script = Script::default();
    let filter = "group:other".parse().expect("a filter");
    let analysis = in_parts(&mut script).span(SAVE).analyse(&Options {
        filter,
        ..everything()
    });
    assert_eq!(analysis.regions.expect("asked for").kinds.len(), 0);
}

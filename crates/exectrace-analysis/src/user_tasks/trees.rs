//! The trees of the user tasks that are asked for: children, regions, logs, who served them.

use exectrace_replay::Stack;
use std::collections::BTreeSet;

use exectrace_format::GoId;
use rustc_hash::FxHashMap;

use crate::names::Places;
use crate::regions;
use crate::time::{WholeSpan, World};

use super::pass::{OpenTask, known_go};
use super::{LogEntry, MAX_TREE_PARTS, UserTaskInstance, UserTaskTree};

/// Trees are cut off below this depth: whoever shows them may do so by recursion.
const MAX_TREE_DEPTH: u32 = 100;

#[derive(Debug, Default)]
pub(super) struct Trees {
    /// The tasks that are asked for; `None` until they begin.
    index: FxHashMap<u64, Option<usize>>,
    /// Parents stand before their children.
    nodes: Vec<Node>,
    parts: usize,
    left_out: u64,
}

#[derive(Debug, Default)]
struct Node {
    tree: UserTaskTree,
    parent: Option<usize>,
    depth: u32,
    served_by: BTreeSet<u64>,
}

impl Trees {
    pub(super) fn new(wanted: &[u64]) -> Self {
        Self {
            index: wanted.iter().map(|&task| (task, None)).collect(),
            ..Self::default()
        }
    }

    #[inline]
    pub(super) fn has(&self, task: u64) -> bool {
        !self.index.is_empty() && self.index.contains_key(&task)
    }

    #[inline]
    fn node(&mut self, task: u64) -> Option<&mut Node> {
        if self.index.is_empty() {
            return None;
        }
        let place = (*self.index.get(&task)?)?;
        self.nodes.get_mut(place)
    }

    /// Counts one more part; `false` if there are too many already.
    fn may_add(&mut self) -> bool {
        let may = self.parts < MAX_TREE_PARTS;
        self.parts += usize::from(may);
        self.left_out += u64::from(!may);
        may
    }

    pub(super) fn task_begins(
        &mut self,
        world: &World<'_>,
        task: u64,
        open: &OpenTask,
        stack: Stack,
    ) {
        let parent = open.parent.and_then(|parent| *self.index.get(&parent)?);
        let depth = parent
            .and_then(|parent| self.nodes.get(parent))
            .map_or(0, |node| node.depth + 1);
        if !self.has(task) && parent.is_none() {
            return;
        }
        if depth > MAX_TREE_DEPTH || !self.may_add() {
            self.left_out += u64::from(depth > MAX_TREE_DEPTH);
            return;
        }
        let place = world
            .names()
            .locations(stack)
            .next()
            .map(|frame| world.names().place(frame));
        let tree = UserTaskTree {
            place,
            carries: open.carries,
            ..UserTaskTree::default()
        };
        self.index.insert(task, Some(self.nodes.len()));
        self.nodes.push(Node {
            tree,
            parent,
            depth,
            served_by: open.begun_by.into_iter().collect(),
        });
    }

    pub(super) fn task_ends(&mut self, ended: &UserTaskInstance) {
        if let Some(node) = self.node(ended.id) {
            node.served_by.extend(ended.ended_by);
            node.tree.task = ended.clone();
        }
    }

    #[inline]
    pub(super) fn serves(&mut self, task: u64, go: GoId) {
        if let Some(node) = self.node(task) {
            node.served_by.extend(known_go(go));
        }
    }

    pub(super) fn span_ends(&mut self, world: &World<'_>, span: &WholeSpan<'_>) {
        if self.node(span.task).is_none() || !self.may_add() {
            return;
        }
        let instance = regions::instance(world, span);
        if let Some(node) = self.node(span.task) {
            node.served_by.extend(known_go(span.go));
            match span.is_carried {
                true => node.tree.span = Some(instance),
                false => node.tree.regions.push(instance),
            }
        }
    }

    pub(super) fn log(
        &mut self,
        world: &World<'_>,
        go: GoId,
        task: u64,
        (category, message): (&str, &str),
    ) {
        if self.node(task).is_none() || !self.may_add() {
            return;
        }
        self.serves(task, go);
        if let Some(node) = self.node(task) {
            node.tree.logs.push(LogEntry {
                time_ns: world.since_begin(world.now),
                async_task: known_go(go),
                category: category.to_owned(),
                message: message.to_owned(),
            });
        }
    }

    /// Joins the children to their parents.
    pub(super) fn finish(mut self, world: &World<'_>) -> Vec<UserTaskTree> {
        let mut roots = Vec::new();
        while let Some(node) = self.nodes.pop() {
            let mut tree = node.tree;
            tree.async_tasks = node.served_by.into_iter().collect();
            tree.regions.sort_by_key(|region| region.begin_ns);
            tree.children.reverse();
            let links = world
                .facts
                .links
                .iter()
                .filter(|(_, to)| *to == tree.task.id);
            tree.follows_from = links.map(|(from, _)| *from).collect();
            match node.parent.and_then(|parent| self.nodes.get_mut(parent)) {
                Some(parent) => parent.tree.children.push(tree),
                None => roots.push(tree),
            }
        }
        roots.reverse();
        if let Some(root) = roots.first_mut() {
            root.left_out = self.left_out;
        }
        roots
    }
}

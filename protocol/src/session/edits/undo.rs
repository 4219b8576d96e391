//! One's own edits to be taken back, and those taken back to be done again, in groups. It knows operations, and neither
//! document nor lane.

use crate::message::edits::Op;

/// So many groups are remembered; the oldest go.
const GROUPS_MAX: usize = 100;

/// What can be undone and redone.
#[derive(Debug, Default)]
pub(in crate::session) struct Undo {
    done: Vec<Group>,
    undone: Vec<Group>,
    /// How many groups are open, one in the other.
    depth: usize,
    /// Whether the open group has its first edit.
    has_begun: bool,
}

/// Edits that are undone together.
#[derive(Clone, Debug, Default, PartialEq)]
struct Group(Vec<Step>);

/// An edit and what takes it back.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    number: u64,
    inverse: Vec<Op>,
}

/// Which way an edit goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Way {
    /// It is made.
    Do,
    /// It takes others back.
    Undo,
    /// It makes others again.
    Redo,
}

impl Undo {
    pub(in crate::session) fn begin_group(&mut self) {
        self.depth += 1;
    }

    pub(in crate::session) fn end_group(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.has_begun &= self.depth > 0;
    }

    pub(super) fn can(&self, way: Way) -> bool {
        match way {
            Way::Do => false,
            Way::Undo => !self.done.is_empty(),
            Way::Redo => !self.undone.is_empty(),
        }
    }

    /// The operations that undo, or redo, the last group, which is taken out.
    pub(super) fn take(&mut self, way: Way) -> Option<Vec<Op>> {
        let groups = if way == Way::Undo { &mut self.done } else { &mut self.undone };
        let group = groups.pop()?;
        self.has_begun = false;
        Some(group.0.into_iter().rev().flat_map(|step| step.inverse).collect())
    }

    /// Takes down an edit and its inverse. One that is neither undo nor redo ends what could be redone.
    pub(super) fn remember(&mut self, way: Way, steps: Vec<(u64, Vec<Op>)>) {
        let steps = steps.into_iter().filter(|(_, inverse)| !inverse.is_empty());
        let steps: Vec<_> = steps.map(|(number, inverse)| Step { number, inverse }).collect();
        if steps.is_empty() {
            return;
        }
        match way {
            Way::Undo => self.undone.push(Group(steps)),
            Way::Redo => self.done.push(Group(steps)),
            Way::Do => {
                self.undone.clear();
                match self.done.last_mut().filter(|_| self.has_begun) {
                    Some(group) => group.0.extend(steps),
                    None => self.done.push(Group(steps)),
                }
                self.has_begun = self.depth > 0;
            }
        }
        for groups in [&mut self.done, &mut self.undone] {
            let oldest = groups.len().saturating_sub(GROUPS_MAX);
            groups.drain(..oldest);
        }
    }

    /// An edit has no effect, so there is nothing to take back.
    pub(super) fn forget(&mut self, number: u64) {
        let is_open = |group: &Group| group.0.iter().any(|step| step.number != number);
        self.has_begun &= self.done.last().is_some_and(is_open);
        for groups in [&mut self.done, &mut self.undone] {
            for group in groups.iter_mut() {
                group.0.retain(|step| step.number != number);
            }
            groups.retain(|group| !group.0.is_empty());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Map;
    use crate::message::edits::OpKind;

    fn op(record: &str) -> Op {
        Op::new(OpKind::Remove, record, Map::new())
    }

    fn step(number: u64) -> Vec<(u64, Vec<Op>)> {
        vec![(number, vec![op(&number.to_string())])]
    }

    #[test]
    fn groups_are_taken_back_whole_and_from_behind() {
        let mut undo = Undo::default();
        undo.remember(Way::Do, step(1));
        undo.begin_group();
        undo.remember(Way::Do, step(2));
        undo.begin_group();
        undo.remember(Way::Do, step(3));
        undo.end_group();
        undo.remember(Way::Do, step(4));
        undo.end_group();
        undo.remember(Way::Do, step(5));
        assert_eq!(undo.take(Way::Undo), Some(vec![op("5")]));
        assert_eq!(undo.take(Way::Undo), Some(vec![op("4"), op("3"), op("2")]));
        assert_eq!(undo.take(Way::Undo), Some(vec![op("1")]));
        assert_eq!(undo.take(Way::Undo), None);
    }

    #[test]
    fn what_was_undone_can_be_redone_until_something_else_is_done() {
        let mut undo = Undo::default();
        undo.remember(Way::Do, step(1));
        undo.take(Way::Undo);
        undo.remember(Way::Undo, step(2));
        assert!(undo.can(Way::Redo));
        assert_eq!(undo.take(Way::Redo), Some(vec![op("2")]));
        undo.remember(Way::Redo, step(3));
        undo.take(Way::Undo);
        undo.remember(Way::Undo, step(4));
        undo.remember(Way::Do, step(5));
        assert!(!undo.can(Way::Redo));
    }

    #[test]
    fn a_rejected_edit_is_nothing_to_take_back() {
        let mut undo = Undo::default();
        undo.begin_group();
        undo.remember(Way::Do, step(1));
        undo.remember(Way::Do, step(2));
        undo.end_group();
        undo.remember(Way::Do, step(3));
        undo.forget(3);
        undo.forget(1);
        assert_eq!(undo.take(Way::Undo), Some(vec![op("2")]));
        assert!(!undo.can(Way::Undo));
    }

    #[test]
    fn a_group_whose_edits_were_all_rejected_begins_anew() {
        let mut undo = Undo::default();
        undo.remember(Way::Do, step(1));
        undo.begin_group();
        undo.remember(Way::Do, step(2));
        undo.forget(2);
        undo.remember(Way::Do, step(3));
        assert_eq!(undo.take(Way::Undo), Some(vec![op("3")]));
    }

    #[test]
    fn so_many_groups_are_kept() {
        let mut undo = Undo::default();
        for number in 0..150 {
            undo.remember(Way::Do, step(number));
        }
        let undone = std::iter::from_fn(|| undo.take(Way::Undo)).count();
        assert_eq!(undone, GROUPS_MAX);
    }
}

//! A program's own rules for the edits of a namespace, which the server that has the program built in asks.

use std::fmt;
use std::sync::Arc;

use hither_protocol::document::Document;
use hither_protocol::message::control::User;
use hither_protocol::message::edits::Op;

/// An edit on trial: it is in form, and its conditions are not looked at yet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Proposal<'a> {
    /// Who makes it.
    pub user: &'a User,
    /// What it does.
    pub ops: &'a [Op],
    /// The document without it.
    pub document: &'a Document,
}

type Rule = dyn Fn(&Proposal<'_>) -> Result<(), String> + Send + Sync;

/// Says of each edit whether it may be. It is asked under the room's lock, so what it takes, the whole room waits for;
/// where it panics, its room is closed.
#[derive(Clone)]
pub struct Validator(Arc<Rule>);

impl Validator {
    /// A rule: an error has the edit rejected as `invalid`, with it as the message.
    pub fn new(rule: impl Fn(&Proposal<'_>) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    pub(crate) fn check(&self, proposal: &Proposal<'_>) -> Result<(), String> {
        (self.0)(proposal)
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validator(..)")
    }
}

/// Two are the same if they are one rule.
impl PartialEq for Validator {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

//! The pages of rosters and documents that a connection lacks: one after the other, so that what a newcomer costs is
//! spread. Apart from the driver, which calls it when the next are due.

use std::time::Duration;

use super::Connection;

/// The least time between two pages, which makes some 7 MB/s: a page takes as long to make and to send as many edits
/// do, and others' edits would wait for all in a row.
const PAGE_EVERY: Duration = Duration::from_millis(4);

impl Connection {
    /// Sends the next pages, unless they are to wait.
    pub(super) fn load_on(&mut self) {
        if self.pages_due.is_none() {
            self.send_pages();
        }
    }

    /// Sends a page to each member that lacks any, as long as the queue has room.
    pub(super) fn send_pages(&mut self) {
        self.pages_due = None;
        let next = self.now() + PAGE_EVERY;
        for member in self.members.values_mut().filter(|member| member.is_loading) {
            if !self.budget.has_room_for_page() {
                break;
            }
            member.is_loading = member.joined.cell.send_page(member.joined.slot);
            self.pages_due = self.pages_due.or(member.is_loading.then_some(next));
        }
    }
}

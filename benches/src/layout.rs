//! Who is in which room: crowds of rooms of one size each, and the members of all, numbered through. It stands apart
//! because figures, rooms' names and the members' inboxes all have to number in the same way.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Rooms of different sizes at the same time, written as `1x200,50x10`: one of 200 members and 50 of 10.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix(Vec<Crowd>);

/// Rooms of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crowd {
    rooms: usize,
    members: usize,
}

/// Members numbered across the rooms, those of one room in a row. A member's *place* is its number within its room.
#[derive(Debug, Clone)]
pub struct Layout {
    rooms: Vec<Range<usize>>,
    room_of: Vec<usize>,
}

/// Members of all rooms together, and of one.
const MEMBERS_MAX: usize = 100_000;

impl Mix {
    /// `rooms` rooms of `members` each.
    pub fn even(rooms: usize, members: usize) -> Self {
        Self(vec![Crowd { rooms, members }])
    }

    /// The same, and `rooms` rooms of `members` each.
    #[must_use]
    pub fn and(mut self, rooms: usize, members: usize) -> Self {
        self.0.push(Crowd { rooms, members });
        self
    }

    fn room_sizes(&self) -> impl Iterator<Item = usize> {
        self.0.iter().flat_map(|crowd| std::iter::repeat_n(crowd.members, crowd.rooms))
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let crowds: Option<Vec<Crowd>> = text.split(',').map(crowd).collect();
        let crowds = crowds.ok_or("crowds are written as ROOMSxMEMBERS,..., each from 1 on")?;
        let all = crowds.iter().try_fold(0_usize, |all, crowd| {
            all.checked_add(crowd.rooms.checked_mul(crowd.members)?)
        });
        match all {
            Some(..=MEMBERS_MAX) => Ok(Self(crowds)),
            _ => Err(format!("more than {MEMBERS_MAX} members")),
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Crowd { rooms, members }) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{rooms}x{members}")?;
        }
        Ok(())
    }
}

impl From<&Mix> for Layout {
    fn from(mix: &Mix) -> Self {
        let mut rooms = Vec::new();
        let mut room_of = Vec::new();
        for (room, members) in mix.room_sizes().enumerate() {
            rooms.push(room_of.len()..room_of.len() + members);
            room_of.extend(std::iter::repeat_n(room, members));
        }
        Self { rooms, room_of }
    }
}

impl Layout {
    /// How many members all rooms have.
    pub fn members(&self) -> usize {
        self.room_of.len()
    }

    /// How many rooms there are.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// How many members the largest room has.
    pub fn largest(&self) -> usize {
        self.rooms.iter().map(ExactSizeIterator::len).max().unwrap_or(0)
    }

    /// The members of a room.
    pub fn room(&self, room: usize) -> Range<usize> {
        self.rooms[room].clone()
    }

    /// The room of a member.
    pub fn room_of(&self, member: usize) -> usize {
        self.room_of[member]
    }

    /// The place of a member.
    pub fn place(&self, member: usize) -> usize {
        member - self.rooms[self.room_of[member]].start
    }
}

fn crowd(text: &str) -> Option<Crowd> {
    let (rooms, members) = text.split_once('x')?;
    let (rooms, members) = (rooms.parse().ok()?, members.parse().ok()?);
    (rooms > 0 && members > 0).then_some(Crowd { rooms, members })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_numbered_through_the_rooms_of_a_mix() {
        let mix: Mix = "1x3,2x2".parse().unwrap();
        assert_eq!(mix.to_string(), "1x3,2x2");
        let layout = Layout::from(&mix);
        assert_eq!((layout.rooms(), layout.members(), layout.largest()), (3, 7, 3));
        assert_eq!((layout.room(0), layout.room(2)), (0..3, 5..7));
        let places: Vec<_> = (0..7).map(|m| (layout.room_of(m), layout.place(m))).collect();
        assert_eq!(places, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0), (2, 1)]);
        assert_eq!(Mix::even(2, 5), "2x5".parse().unwrap());
    }

    #[test]
    fn what_makes_no_mix_is_refused() {
        for text in ["", "5", "0x5", "5x0", "1x2,", "1x-2", "100001x1", "1x1,100x1000"] {
            assert!(text.parse::<Mix>().is_err(), "{text}");
        }
        let huge = format!("{0}x{0}", usize::MAX);
        assert!(huge.parse::<Mix>().is_err());
    }
}

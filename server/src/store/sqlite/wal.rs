//! What the write-ahead log says for itself, read before SQLite does, which cuts it without a word at the first frame
//! that is not whole. <https://sqlite.org/fileformat2.html#the_write_ahead_log>

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const PAGE_BYTES_MAX: usize = 65_536;
/// The magic number, but for its last bit: whether checksums are of big-endian words.
const MAGIC: u32 = 0x377f_0682;

/// How a log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// With a commit.
    Whole,
    /// In a transaction that was not finished: a process or a machine ended in it, and nobody was told that it is
    /// durable. Or it was, and its end is spoilt: the mark knows.
    Unfinished,
    /// Behind a frame that is not whole are frames of later transactions, so it had been durable.
    Lost {
        /// That frame, counted from 1.
        frame: u64,
    },
}

/// What is in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// Transactions that are whole.
    pub(super) commits: u64,
    pub(super) tail: Tail,
}

/// What the header says.
struct Header {
    is_big_endian: bool,
    page_bytes: usize,
    salts: [u8; 8],
    sum: Sum,
    is_whole: bool,
}

/// A running checksum.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sum(u32, u32);

/// Reads the log of a database; one that is not there is empty.
///
/// # Errors
/// The machine's.
pub(super) fn scan(path: &Path) -> io::Result<Scan> {
    match File::open(path) {
        Ok(file) => scan_frames(BufReader::new(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(Scan { commits: 0, tail: Tail::Whole })
        }
        Err(error) => Err(error),
    }
}

fn scan_frames(mut log: impl Read) -> io::Result<Scan> {
    let mut scan = Scan { commits: 0, tail: Tail::Whole };
    let mut bytes = [0; HEADER_BYTES];
    if read(&mut log, &mut bytes)? < HEADER_BYTES {
        return Ok(scan);
    }
    let header = Header::read(&bytes);
    let (mut sum, mut is_whole) = (header.sum, header.is_whole);
    let mut frame = vec![0; FRAME_HEADER_BYTES + header.page_bytes];
    let (mut count, mut spoilt, mut is_committed_after) = (0, 0, false);
    while read(&mut log, &mut frame)? == frame.len() {
        count += 1;
        let (head, page) = frame.split_at(FRAME_HEADER_BYTES);
        let is_commit = word(head, 4) > 0;
        let next = sum.of(&head[..8], &header).of(page, &header);
        let is_ours = header.has_salts(&head[8..16]);
        is_whole &= is_ours && word(head, 0) > 0 && next == Sum(word(head, 16), word(head, 20));
        sum = next;
        if is_whole {
            scan.commits += u64::from(is_commit);
            scan.tail = if is_commit { Tail::Whole } else { Tail::Unfinished };
            continue;
        }
        spoilt = if spoilt == 0 { count } else { spoilt };
        // Frames of before the log began anew are no news.
        if !is_ours {
            continue;
        }
        scan.tail = Tail::Unfinished;
        if is_committed_after || !header.is_whole {
            scan.tail = Tail::Lost { frame: spoilt };
            break;
        }
        is_committed_after = is_commit;
    }
    Ok(scan)
}

impl Header {
    fn read(bytes: &[u8; HEADER_BYTES]) -> Self {
        let is_big_endian = word(bytes, 0) & 1 == 1;
        let (page_bytes, salts) = (word(bytes, 8) as usize, [0; 8]);
        let has_size = page_bytes.is_power_of_two() && (512..=PAGE_BYTES_MAX).contains(&page_bytes);
        let page_bytes = if has_size { page_bytes } else { PAGE_BYTES };
        let mut header = Self { is_big_endian, page_bytes, salts, sum: Sum(0, 0), is_whole: false };
        header.salts.copy_from_slice(&bytes[16..24]);
        header.sum = header.sum.of(&bytes[..24], &header);
        header.is_whole = word(bytes, 0) & !1 == MAGIC
            && has_size
            && header.sum == Sum(word(bytes, 24), word(bytes, 28));
        header
    }

    /// Whether a frame is of this log. Of a header that is not whole, one salt is enough: both are new when a log
    /// begins anew.
    fn has_salts(&self, salts: &[u8]) -> bool {
        let same = |range: std::ops::Range<usize>| salts[range.clone()] == self.salts[range];
        if self.is_whole { same(0..8) } else { same(0..4) || same(4..8) }
    }
}

/// That of the databases that are made here.
const PAGE_BYTES: usize = 4_096;

impl Sum {
    fn of(mut self, bytes: &[u8], header: &Header) -> Self {
        for words in bytes.chunks_exact(8) {
            let swap = |word: u32| if header.is_big_endian { word } else { word.swap_bytes() };
            self.0 = self.0.wrapping_add(swap(word(words, 0))).wrapping_add(self.1);
            self.1 = self.1.wrapping_add(swap(word(words, 4))).wrapping_add(self.0);
        }
        self
    }
}

/// The big-endian word at a place that is within the bytes.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Fills the buffer as far as there is something; how far.
fn read(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match log.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    const FRAME: usize = FRAME_HEADER_BYTES + PAGE_BYTES;

    /// The log of a database with so many commits of one frame each behind that which makes the table.
    fn log(commits: usize) -> Vec<u8> {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(dir.path().join("db")).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; CREATE TABLE a (b); INSERT INTO a VALUES (1)",
            )
            .unwrap();
        for _ in 0..commits {
            connection.execute("UPDATE a SET b = b + 1", []).unwrap();
        }
        std::fs::read(dir.path().join("db-wal")).unwrap()
    }

    fn scanned(log: &[u8]) -> Scan {
        scan_frames(log).unwrap()
    }

    #[test]
    fn a_whole_log_is_whole() {
        let scan = scanned(&log(3));
        assert_eq!(scan, Scan { commits: 5, tail: Tail::Whole });
        assert_eq!(scanned(&[]), Scan { commits: 0, tail: Tail::Whole });
    }

    #[test]
    fn where_it_is_cut_it_ends_and_says_so_unless_at_a_commit() {
        let log = log(2);
        for cut in log.len() - FRAME + 1..log.len() {
            let scan = scanned(&log[..cut]);
            assert_eq!(scan, Scan { commits: 3, tail: Tail::Whole }, "{cut}: a part is no frame");
        }
    }

    #[test]
    fn a_flipped_bit_before_others_is_a_loss() {
        let whole = log(4);
        let frames = (whole.len() - HEADER_BYTES) / FRAME;
        for bit in 0..8 * FRAME {
            let mut log = whole.clone();
            let at = HEADER_BYTES + (frames - 4) * FRAME;
            log[at + bit / 8] ^= 1 << (bit % 8);
            let Tail::Lost { frame } = scanned(&log).tail else { panic!("bit {bit}") };
            assert_eq!(frame as usize, frames - 3, "bit {bit}");
        }
        // The last of all may not have been durable.
        let mut log = whole.clone();
        *log.last_mut().unwrap() ^= 1;
        assert_eq!(scanned(&log), Scan { commits: 5, tail: Tail::Unfinished });
    }

    #[test]
    fn a_flipped_bit_of_the_header_is_a_loss() {
        let whole = log(1);
        for bit in 0..8 * HEADER_BYTES {
            let mut log = whole.clone();
            log[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(scanned(&log), Scan { commits: 0, tail: Tail::Lost { frame: 1 } }, "{bit}");
        }
    }

    #[test]
    fn frames_of_before_the_log_began_anew_are_none() {
        let mut log = log(3);
        for frame in log[HEADER_BYTES..].chunks_exact_mut(FRAME).skip(2) {
            frame[8..16].fill(7);
        }
        assert_eq!(scanned(&log).tail, Tail::Whole);
    }
}

//! What the kernel knows about processes and sockets: CPU, memory, drops, priority. It stands apart
//! because it alone depends on Linux and holds the crate's `unsafe`.

#![expect(
    unsafe_code,
    reason = "std offers no other process's CPU clock, no TCP_INFO and no priority"
)]

use std::fs::read_to_string;
use std::io::{Error, ErrorKind, Result};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// User and system time that a process has used, ended threads included; `None` is this process.
/// The kernel's clock of the process counts the same time as /proc/PID/stat, in ns instead of steps
/// of 10 ms. Fails when there is no such process.
pub fn cpu_time(pid: Option<u32>) -> Result<Duration> {
    let pid = match pid {
        // The clock's id has no room for more, and would wrap round to another process's.
        Some(pid @ 1..=PID_MAX) => pid.cast_signed(),
        Some(_) => return Err(ErrorKind::NotFound.into()),
        None => 0,
    };
    let mut clock = 0;
    // SAFETY: the call only writes the clock's id to the place given, which is valid for it.
    let code = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
    if code != 0 {
        return Err(Error::from_raw_os_error(code));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call only writes one timespec to the place given, which is one.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(Error::last_os_error());
    }
    let seconds = u64::try_from(time.tv_sec).map_err(Error::other)?;
    let nanos = u32::try_from(time.tv_nsec).map_err(Error::other)?;
    Ok(Duration::new(seconds, nanos))
}

/// Time for which the cores of this machine, all together, had work and their host ran somebody
/// else, so far. Zero where nobody shares them, or the host does not say.
pub fn stolen_time() -> Result<Duration> {
    stolen_in(&read_to_string("/proc/stat")?)
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, "no line of all cores"))
}

/// Lets every other thread go before the current one, from now on, at once: a thread that is only less important than
/// another still ends its slice of milliseconds before that one is let in.
pub fn give_way() -> Result<()> {
    // SAFETY: all zero is a value of this struct of integers, and means no real-time priority.
    let priority: libc::sched_param = unsafe { std::mem::zeroed() };
    // SAFETY: the call reads the struct, which outlives it; 0 is the calling thread.
    let code = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const priority) };
    if code == 0 { Ok(()) } else { Err(Error::last_os_error()) }
}

/// Memory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// What is resident now (VmRSS).
    Resident,
    /// The most that has been resident so far (VmHWM).
    Peak,
}

/// How much of it a process has, in KiB. Fails when there is no such process.
pub fn memory_kb(pid: u32, memory: Memory) -> Result<u64> {
    let key = match memory {
        Memory::Resident => "VmRSS:",
        Memory::Peak => "VmHWM:",
    };
    let status = read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let field = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    field.ok_or_else(|| Error::new(ErrorKind::InvalidData, "no such memory in its status"))
}

/// Datagrams dropped so far because the receive buffer of a UDP socket was full: all sockets open
/// on this machine, without those bound to `server_port`, as what the server loses is the server's.
pub fn udp_drops(server_port: u16) -> Result<u64> {
    let mut drops = 0;
    for table in ["/proc/net/udp", "/proc/net/udp6"] {
        match read_to_string(table) {
            Ok(table) => drops += drops_in(&table, server_port),
            Err(error) if error.kind() == ErrorKind::NotFound => {} // a kernel without IPv6
            Err(error) => return Err(error),
        }
    }
    Ok(drops)
}

/// What has passed through a TCP socket so far, on the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpTraffic {
    /// Segments received, lone ACKs too.
    pub segments_in: u64,
    /// Segments sent.
    pub segments_out: u64,
    /// Bytes received: payload, and 52 for each segment, which are 20 of IPv4, 20 of TCP and 12 of
    /// its timestamps, on by default.
    pub bytes_in: u64,
}

/// What the kernel has counted at this socket. Fails for one that is no TCP socket.
pub fn tcp_traffic(socket: BorrowedFd<'_>) -> Result<TcpTraffic> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `info`, which has that size, and to
    // `length`.
    let code = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if code != 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: `tcp_info` is plain integers, and all of it was zeroed before the kernel filled what
    // it knows.
    let info = unsafe { info.assume_init() };
    let segments_in = u64::from(info.tcpi_segs_in);
    Ok(TcpTraffic {
        segments_in,
        segments_out: info.tcpi_segs_out.into(),
        bytes_in: info.tcpi_bytes_received + 52 * segments_in,
    })
}

/// The kernel's own bound, 2^22.
const PID_MAX: u32 = 4_194_304;

/// In steps of 10 ms, which is `USER_HZ` on every Linux.
fn stolen_in(stat: &str) -> Option<Duration> {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let steps: u64 = all.split_whitespace().nth(7)?.parse().ok()?;
    Some(Duration::from_millis(10 * steps))
}

fn drops_in(table: &str, server_port: u16) -> u64 {
    let row = |line: &str| {
        let mut fields = line.split_whitespace();
        let (_, port) = fields.nth(1)?.rsplit_once(':')?;
        let drops = fields.last()?.parse::<u64>().ok()?;
        (u16::from_str_radix(port, 16).ok()? != server_port).then_some(drops)
    };
    table.lines().skip(1).filter_map(row).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_shows_as_cpu_time_of_this_process() {
        let before = cpu_time(None).unwrap();
        let mut spent = Duration::ZERO;
        while spent < Duration::from_millis(2) {
            spent = cpu_time(Some(std::process::id())).unwrap() - before;
        }
        assert!(cpu_time(None).unwrap() >= before + spent);
    }

    #[test]
    fn memory_has_a_peak_and_a_process_that_is_not_there_is_an_error() {
        let own = |memory| memory_kb(std::process::id(), memory).unwrap();
        // In this order: other tests of the process take memory meanwhile.
        let resident = own(Memory::Resident);
        assert!(resident > 500 && own(Memory::Peak) >= resident);
        assert!(memory_kb(u32::MAX, Memory::Resident).is_err());
        assert!(cpu_time(Some(PID_MAX)).is_err());
        assert!(cpu_time(Some(i32::MAX.cast_unsigned())).is_err());
    }

    #[test]
    fn stolen_time_is_of_all_cores() {
        let stat =
            "cpu  1507529 5850 196044 1526262 25216 0 23201 66523 0 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(stolen_in(stat), Some(Duration::from_millis(665_230)));
        assert_eq!(stolen_in("intr 1\n"), None);
        assert!(stolen_time().unwrap() <= stolen_time().unwrap());
    }

    #[test]
    fn a_thread_that_gives_way_does_so_alone() {
        // SAFETY: the call takes no memory; 0 is the calling thread.
        let own = || unsafe { libc::sched_getscheduler(0) };
        let before = own();
        let after = std::thread::spawn(move || give_way().map(|()| own())).join().unwrap().unwrap();
        assert_eq!((after, own()), (libc::SCHED_IDLE, before));
        assert_ne!(before, libc::SCHED_IDLE);
    }

    #[test]
    fn drops_are_summed_without_the_servers_own() {
        let table = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  100: 0100007F:1151 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 18 2 0 7
  101: 0100007F:9C40 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 19 2 0 5
  102: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 20 2 0 1
";
        assert_eq!(drops_in(table, 0x1151), 6);
        assert_eq!(drops_in(table, 1), 13);
    }

    #[test]
    fn tcp_counts_payload_and_a_header_a_segment() {
        use std::io::{Read, Write};
        use std::os::fd::AsFd;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        let before = tcp_traffic(near.as_fd()).unwrap();
        let sent_before = tcp_traffic(far.as_fd()).unwrap().segments_out;
        far.write_all(&[7; 100]).unwrap();
        near.read_exact(&mut [0; 100]).unwrap();
        let after = tcp_traffic(near.as_fd()).unwrap();
        assert_eq!(after.segments_in - before.segments_in, 1);
        assert_eq!(after.bytes_in - before.bytes_in, 100 + 52);
        assert_eq!(tcp_traffic(far.as_fd()).unwrap().segments_out - sent_before, 1);
    }
}

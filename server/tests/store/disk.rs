//! A disk that can fail: a VFS of SQLite's that passes everything on to the system's, and books on the way what would
//! be there after a power cut. It can cut the power at any write, be full, be slow, and lie.

#![expect(unsafe_code, reason = "a VFS is C functions that SQLite calls")]
#![expect(clippy::undocumented_unsafe_blocks, reason = "all by the contract that `parts` names")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::size_of;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rusqlite::ffi::{
    self, SQLITE_FULL, SQLITE_IOERR, SQLITE_IOERR_FSYNC, SQLITE_OK, SQLITE_READONLY, sqlite3_file,
    sqlite3_int64, sqlite3_io_methods, sqlite3_vfs,
};
use tokio::sync::watch;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
const DEADLINE: Duration = Duration::from_secs(10);

/// What is wrong with a disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// There is no room for anything.
    Full,
    /// Nothing may be written.
    ReadOnly,
    /// Every sync of a commit waits until there is no fault.
    Slow,
    /// The next sync of a commit is done, and said to have failed.
    Lie,
    /// The next sync of a commit fails, and what it had to write is never written, and can be read all the same.
    Lossy,
}

/// A file as it would be found, and what was written since it was last synced.
#[derive(Clone, Debug, Default)]
struct Booked {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

#[derive(Debug, Default)]
struct State {
    changes: u64,
    cut_at: Option<u64>,
    fault: Fault,
    waiting_syncs: u32,
    /// Syncs that may be done although the disk is slow.
    let_syncs: u32,
    files: BTreeMap<String, Booked>,
}

/// One disk; it stays registered with SQLite.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) name: String,
    real: *mut sqlite3_vfs,
    state: Mutex<State>,
    changed: Condvar,
    cut: watch::Sender<bool>,
}

// The system's VFS is never changed, and may be called by any thread.
unsafe impl Send for Disk {}
unsafe impl Sync for Disk {}

#[repr(C)]
struct File {
    base: sqlite3_file,
    disk: *const Disk,
    /// The file's name without its folder; of a temporary file none, and nothing is booked.
    name: *mut String,
}

/// What of the writes that were not synced is there after a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survivors {
    None,
    All,
    /// Some sectors, by a seed.
    Some(u64),
}

impl Disk {
    /// Power is cut at that change, counted from 1, if there is one.
    pub(crate) fn new(cut_at: Option<u64>) -> &'static Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("disk-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        // SAFETY: what is registered with SQLite is leaked, so that it outlives every connection.
        unsafe {
            let real = ffi::sqlite3_vfs_find(ptr::null());
            let state = Mutex::new(State { cut_at, ..State::default() });
            let (changed, cut) = (Condvar::new(), watch::Sender::new(false));
            let disk = Self { name: name.clone(), real, state, changed, cut };
            let disk: &'static Self = Box::leak(Box::new(disk));
            let mut vfs = *real;
            vfs.zName = CString::new(name).unwrap().into_raw();
            vfs.szOsFile += size_of::<File>() as c_int;
            vfs.pNext = ptr::null_mut();
            vfs.pAppData = ptr::from_ref(disk).cast_mut().cast();
            vfs.xOpen = Some(open);
            vfs.xDelete = Some(delete);
            let vfs = Box::into_raw(Box::new(vfs));
            assert_eq!(ffi::sqlite3_vfs_register(vfs, 0), SQLITE_OK);
            disk
        }
    }

    /// The same disk for a process that comes after this one was killed: what was not synced is in the kernel's memory.
    pub(crate) fn again(&self) -> &'static Self {
        let files = self.state().files.clone();
        let again = Self::new(None);
        again.state().files = files;
        again
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Ready when power is cut.
    pub(crate) async fn cut(&self) {
        self.cut.subscribe().wait_for(|is_cut| *is_cut).await.unwrap();
    }

    pub(crate) fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    /// How many changes there were.
    pub(crate) fn changes(&self) -> u64 {
        self.state().changes
    }

    pub(crate) fn set_fault(&self, fault: Fault) {
        self.state().fault = fault;
        self.changed.notify_all();
    }

    /// Waits until a sync waits.
    pub(crate) fn wait_for_sync(&self) {
        let state = self.state();
        let wait =
            self.changed.wait_timeout_while(state, DEADLINE, |state| state.waiting_syncs == 0);
        assert!(!wait.unwrap().1.timed_out(), "nothing is synced");
    }

    /// Lets one of them go on, and the next wait.
    pub(crate) fn let_one_sync(&self) {
        let mut state = self.state();
        state.let_syncs += 1;
        self.changed.notify_all();
        let wait = self.changed.wait_timeout_while(state, DEADLINE, |state| state.let_syncs > 0);
        assert!(!wait.unwrap().1.timed_out(), "no sync waits");
    }

    /// Whether it would be found after a power cut, in any file.
    pub(crate) fn holds(&self, bytes: &[u8]) -> bool {
        let found = |file: &Booked| file.durable.windows(bytes.len()).any(|at| at == bytes);
        self.state().files.values().any(found)
    }

    /// Writes what is found after a power cut to a folder.
    pub(crate) fn save(&self, folder: &Path, survivors: Survivors) {
        for (name, file) in &self.state().files {
            let mut bytes = file.durable.clone();
            let mut random = if let Survivors::Some(seed) = survivors { seed } else { 1 };
            let mut survives = || {
                // xorshift
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                match survivors {
                    Survivors::None => false,
                    Survivors::All => true,
                    Survivors::Some(_) => random % 2 == 0,
                }
            };
            for change in &file.pending {
                apply(&mut bytes, change, &mut survives);
            }
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// Books a change, and whether it comes through.
    fn change(&self, name: Option<&String>, change: Change) -> c_int {
        let mut state = self.state();
        if self.is_cut() {
            return SQLITE_IOERR;
        }
        let failed = match state.fault {
            Fault::Full => Some(SQLITE_FULL),
            Fault::ReadOnly => Some(SQLITE_READONLY),
            _ => None,
        };
        if let Some(failed) = failed {
            return failed;
        }
        if let Some(name) = name {
            state.files.entry(name.clone()).or_default().pending.push(change);
        }
        self.count(state)
    }

    fn count(&self, mut state: MutexGuard<'_, State>) -> c_int {
        state.changes += 1;
        if state.cut_at == Some(state.changes) {
            self.cut.send_replace(true);
            return SQLITE_IOERR;
        }
        SQLITE_OK
    }

    fn sync(&self, name: &str) -> c_int {
        // Checkpoints sync the log, too, and nobody waits for those.
        let is_commit = name.ends_with("-wal") && thread::current().name() == Some("store writes");
        let mut state = self.state();
        if is_commit && state.fault == Fault::Slow {
            state.waiting_syncs += 1;
            self.changed.notify_all();
            let waits = |state: &mut State| state.fault == Fault::Slow && state.let_syncs == 0;
            state = self.changed.wait_while(state, waits).unwrap();
            state.let_syncs = 0;
            state.waiting_syncs -= 1;
            self.changed.notify_all();
        }
        if self.is_cut() {
            return SQLITE_IOERR;
        }
        let fails = is_commit && matches!(state.fault, Fault::Lie | Fault::Lossy);
        let is_lossy = fails && state.fault == Fault::Lossy;
        if fails {
            state.fault = Fault::None;
        }
        state.changes += 1;
        if state.cut_at == Some(state.changes) {
            self.cut.send_replace(true);
            return SQLITE_IOERR;
        }
        let file = state.files.entry(name.to_owned()).or_default();
        for change in std::mem::take(&mut file.pending) {
            apply(&mut file.durable, &change, &mut || !is_lossy);
        }
        if fails { SQLITE_IOERR_FSYNC } else { SQLITE_OK }
    }
}

fn apply(file: &mut Vec<u8>, change: &Change, survives: &mut impl FnMut() -> bool) {
    match change {
        Change::Truncate(len) if survives() => file.resize(*len, 0),
        Change::Truncate(_) => {}
        Change::Write { at, bytes } => {
            let (mut from, end) = (*at, at + bytes.len());
            while from < end {
                let to = end.min((from / SECTOR + 1) * SECTOR);
                if survives() {
                    if file.len() < to {
                        file.resize(to, 0);
                    }
                    file[from..to].copy_from_slice(&bytes[from - at..to - at]);
                }
                from = to;
            }
        }
    }
}

/// The disk of a file, its name, and the system's own file behind it.
///
/// # Safety
/// SQLite gives what `open` has made, in the room that `szOsFile` asked for.
unsafe fn parts<'a>(file: *mut sqlite3_file) -> (&'a Disk, Option<&'a String>, *mut sqlite3_file) {
    unsafe {
        let file = file.cast::<File>();
        (&*(*file).disk, (*file).name.as_ref(), file.add(1).cast())
    }
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    path: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    unsafe {
        let disk = &*(*vfs).pAppData.cast::<Disk>();
        (*file).pMethods = ptr::null();
        if disk.is_cut() {
            return ffi::SQLITE_CANTOPEN;
        }
        let ours = file.cast::<File>();
        let real: *mut sqlite3_file = ours.add(1).cast();
        let opened = (*disk.real).xOpen.unwrap()(disk.real, path, real, flags, out_flags);
        if opened != SQLITE_OK {
            return opened;
        }
        let name = (!path.is_null()).then(|| {
            let path = Path::new(CStr::from_ptr(path).to_str().unwrap());
            path.file_name().unwrap().to_str().unwrap().to_owned()
        });
        if let Some(name) = &name {
            disk.state().files.entry(name.clone()).or_default();
        }
        (*ours).disk = disk;
        (*ours).name = name.map_or(ptr::null_mut(), |name| Box::into_raw(Box::new(name)));
        (*file).pMethods = &raw const METHODS;
        SQLITE_OK
    }
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, path: *const c_char, sync: c_int) -> c_int {
    unsafe {
        let disk = &*(*vfs).pAppData.cast::<Disk>();
        let name = Path::new(CStr::from_ptr(path).to_str().unwrap()).file_name().unwrap();
        let changed = disk.change(None, Change::Truncate(0));
        if changed != SQLITE_OK {
            return changed;
        }
        disk.state().files.remove(name.to_str().unwrap());
        (*disk.real).xDelete.unwrap()(disk.real, path, sync)
    }
}

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    unsafe {
        let (_, _, real) = parts(file);
        let name = (*file.cast::<File>()).name;
        if !name.is_null() {
            drop(Box::from_raw(name));
        }
        (*(*real).pMethods).xClose.unwrap()(real)
    }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    buffer: *mut c_void,
    len: c_int,
    at: sqlite3_int64,
) -> c_int {
    unsafe {
        let (disk, _, real) = parts(file);
        if disk.is_cut() {
            return SQLITE_IOERR;
        }
        (*(*real).pMethods).xRead.unwrap()(real, buffer, len, at)
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    buffer: *const c_void,
    len: c_int,
    at: sqlite3_int64,
) -> c_int {
    unsafe {
        let (disk, name, real) = parts(file);
        let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), len as usize).to_vec();
        let changed = disk.change(name, Change::Write { at: at as usize, bytes });
        if changed != SQLITE_OK {
            return changed;
        }
        (*(*real).pMethods).xWrite.unwrap()(real, buffer, len, at)
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, len: sqlite3_int64) -> c_int {
    unsafe {
        let (disk, name, real) = parts(file);
        let changed = disk.change(name, Change::Truncate(len as usize));
        if changed != SQLITE_OK {
            return changed;
        }
        (*(*real).pMethods).xTruncate.unwrap()(real, len)
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    unsafe {
        let (disk, name, real) = parts(file);
        let Some(name) = name else {
            return (*(*real).pMethods).xSync.unwrap()(real, flags);
        };
        disk.sync(name)
    }
}

/// What is passed on to the system as it is.
macro_rules! forward {
    ($($name:ident => $method:ident($($arg:ident: $kind:ty),*) $(-> $result:ty)?;)*) => {$(
        unsafe extern "C" fn $name(file: *mut sqlite3_file $(, $arg: $kind)*) $(-> $result)? {
            unsafe {
                let (_, _, real) = parts(file);
                (*(*real).pMethods).$method.unwrap()(real $(, $arg)*)
            }
        }
    )*};
}

forward! {
    file_size => xFileSize(size: *mut sqlite3_int64) -> c_int;
    lock => xLock(lock: c_int) -> c_int;
    unlock => xUnlock(lock: c_int) -> c_int;
    check_reserved_lock => xCheckReservedLock(found: *mut c_int) -> c_int;
    file_control => xFileControl(op: c_int, arg: *mut c_void) -> c_int;
    sector_size => xSectorSize() -> c_int;
    device_characteristics => xDeviceCharacteristics() -> c_int;
    shm_map => xShmMap(page: c_int, size: c_int, extend: c_int, map: *mut *mut c_void) -> c_int;
    shm_lock => xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    shm_barrier => xShmBarrier();
    shm_unmap => xShmUnmap(delete: c_int) -> c_int;
}

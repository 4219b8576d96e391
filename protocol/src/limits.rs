//! Every bound of the wire in one table. `vectors/limits.json` mirrors it for clients in other languages.
//!
//! A server may lower these in its config, never raise them: a client may rely on them.

/// Longest message on a stream, in bytes, its length prefix not counted.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Longest motion datagram in either direction, in bytes, the transport's own headers not counted.
pub const MOTION_DATAGRAM_BYTES_MAX: usize = 1_000;
/// Longest token in `hello`, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Longest resume token, in bytes.
pub const RESUME_TOKEN_BYTES_MAX: usize = 1_024;
/// How long after its connection a session can be resumed, in milliseconds.
pub const RESUME_MS: u64 = 300_000;
/// Largest presence of one member, encoded, in bytes.
pub const PRESENCE_BYTES_MAX: usize = 4 * 1024;
/// Largest data of one event, encoded, in bytes.
pub const EVENT_BYTES_MAX: usize = 16 * 1024;
/// Largest record of a document, encoded, in bytes; also the most that one edit may carry.
pub const RECORD_BYTES_MAX: usize = 60 * 1024;
/// Most operations in one edit.
pub const EDIT_OPS_MAX: usize = 64;
/// Edits of an editor that are sent and not answered.
pub const EDITS_UNANSWERED_MAX: usize = 64;
/// Edits in one answer to `history`.
pub const HISTORY_EDITS_MAX: usize = 100;
/// Events in one answer to `kept`.
pub const KEPT_EVENTS_MAX: usize = 100;
/// Milliseconds after its last edit for which a server knows an editor's numbers at least, 24 hours (D7).
pub const EDITOR_MS: u64 = 86_400_000;
/// Deepest nesting of arrays and maps in a user's value; a bare number has depth 0.
pub const DEPTH_MAX: usize = 8;
/// Longest namespace, in bytes.
pub const NAMESPACE_BYTES_MAX: usize = 32;
/// Longest name of a room within its namespace, in bytes.
pub const ROOM_NAME_BYTES_MAX: usize = 128;
/// Longest display name of a user, in bytes.
pub const USER_NAME_BYTES_MAX: usize = 64;
/// Longest id of a user, in bytes.
pub const USER_ID_BYTES_MAX: usize = 128;
/// Longest name of an event, in bytes.
pub const EVENT_NAME_BYTES_MAX: usize = 64;
/// Longest id of a record, in bytes.
pub const RECORD_ID_BYTES_MAX: usize = 128;
/// Most members to whom one event may be directed by name.
pub const EVENT_TARGETS_MAX: usize = 64;
/// Most rooms that one session may be in.
pub const ROOMS_PER_SESSION_MAX: usize = 16;
/// Most bidirectional streams that one connection may hold open.
pub const STREAMS_MAX: u32 = 20;
/// Most members of one room.
pub const MEMBERS_MAX: usize = 4_096;
/// Most ticks of a room in a second; that is what a room ticks at that sends at once.
pub const TICK_HZ_MAX: u32 = 250;
/// Motion samples that one session may send in a second; beyond, the newest is kept until there is room for it.
pub const MOTION_PER_SECOND: u32 = 120;
/// Presence patches that one session may send in a second.
pub const PRESENCE_PER_SECOND: u32 = 60;
/// Events that one session may send in a second.
pub const EVENTS_PER_SECOND: u32 = 50;
/// Edits that one session may send in a second.
pub const EDITS_PER_SECOND: u32 = 100;
/// Joins, changes of status and looks at what was before that one session may ask for in a second.
pub const REQUESTS_PER_SECOND: u32 = 20;
/// Most records of one datagram; what comes after them is not read.
pub const DATAGRAM_RECORDS_MAX: usize = 64;
/// How many seconds' worth of a rate may be sent at once.
pub const BURST_SECONDS: u32 = 2;
/// Most connections of a node that have not said hello yet.
pub const PENDING_HELLOS_MAX: usize = 2_048;
/// Most connections from one address that have not said hello yet; loopback is exempt.
pub const PENDING_HELLOS_PER_ADDRESS_MAX: usize = 64;
/// How long a connection may take to say hello, in milliseconds.
pub const HELLO_DEADLINE_MS: u64 = 5_000;
/// Most bytes that wait for one viewer on streams.
pub const VIEWER_STREAM_QUEUE_BYTES_MAX: usize = 256 * 1024;
/// Most bytes of motion that wait for one viewer.
pub const VIEWER_MOTION_QUEUE_BYTES_MAX: usize = 32 * 1024;
/// Most axes of motion.
pub const AXES_MAX: usize = 4;
/// An axis holds values from `-AXIS_LIMIT` to `AXIS_LIMIT - 1`, so that a difference fits an `i32`.
pub const AXIS_LIMIT: i32 = 1 << 30;

const _: () = {
    assert!(
        RECORD_BYTES_MAX + RECORD_ID_BYTES_MAX < MESSAGE_BYTES_MAX,
        "a full record fits one message"
    );
    assert!(TOKEN_BYTES_MAX < MESSAGE_BYTES_MAX, "a full token fits hello");
    assert!(
        ROOMS_PER_SESSION_MAX < STREAMS_MAX as usize,
        "control and every room's edits have a stream"
    );
};

//! Names of rooms, which come from any client: a name that is taken keeps to its bounds and reads back the same.
#![no_main]

use hither_protocol::RoomName;
use hither_protocol::limits::{NAMESPACE_BYTES_MAX, ROOM_NAME_BYTES_MAX};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(room) = text.parse::<RoomName>() else { return };
    assert_eq!(room.to_string(), text);
    assert_eq!(format!("{}:{}", room.namespace(), room.name()), text);
    assert!((1..=NAMESPACE_BYTES_MAX).contains(&room.namespace().len()));
    assert!(
        room.namespace().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    );
    assert!((1..=ROOM_NAME_BYTES_MAX).contains(&room.name().len()));
    assert!(!room.name().contains(char::is_control));
});

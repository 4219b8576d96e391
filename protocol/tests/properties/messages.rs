//! Every message survives the wire; damaged ones are refused; what a later version adds is skipped.

use bytes::Bytes;
use hither_protocol::message::control::{ToClient, ToServer};
use hither_protocol::message::edits::{EditsToClient, EditsToServer};
use hither_protocol::message::{FrameBuffer, Map, MessageError, Value, check, encoded_len};
use proptest::prelude::*;

use crate::any_message as any;

/// The message without its length prefix.
fn unframed(written: &Bytes) -> Bytes {
    let mut buffer = FrameBuffer::default();
    buffer.push(written);
    let message = buffer.pop().unwrap().unwrap();
    assert!(buffer.is_empty());
    message
}

/// The message with a key more in every map of its own, and an element more behind its body. Users' maps are left as
/// they are: there every key has its meaning.
fn extended(bytes: &[u8], key: &str, extra: &Value) -> Vec<u8> {
    let Ok(Value::Array(mut elements)) = rmp_serde::from_slice(bytes) else { unreachable!() };
    let Value::Map(body) = &mut elements[1] else { unreachable!() };
    extend(body, key, extra);
    elements.push(extra.clone());
    rmp_serde::to_vec(&Value::Array(elements)).unwrap()
}

fn extend(own: &mut Map, key: &str, extra: &Value) {
    // The keys under which the protocol's own maps are nested, alone or in lists.
    for nested in ["u", "m", "j", "e", "er", "r", "o"] {
        match own.get_mut(nested) {
            Some(Value::Map(map)) => extend(map, key, extra),
            Some(Value::Array(items)) => {
                for item in items {
                    if let Value::Map(map) = item {
                        extend(map, key, extra);
                    }
                }
            }
            _ => {}
        }
    }
    own.insert(key.to_owned(), extra.clone());
}

macro_rules! laws {
    ($module:ident, $type:ident) => {
        mod $module {
            use super::*;

            proptest! {
                #[test]
                fn f6_every_message_is_read_as_it_was_written(message in any::$module()) {
                    let read = $type::decode(&unframed(&message.encode()));
                    prop_assert_eq!(read, Ok(Some(message)));
                }

                #[test]
                fn f5_what_a_later_version_adds_is_skipped(
                    message in any::$module(),
                    extra in any::value(),
                    kind in 100u8..128,
                ) {
                    let bytes = unframed(&message.encode());
                    let more = extended(&bytes, "zz", &extra);
                    prop_assert_eq!($type::decode(&more), Ok(Some(message)));
                    let mut unknown = bytes.to_vec();
                    unknown[1] = kind;
                    prop_assert_eq!($type::decode(&unknown), Ok(None));
                }

                #[test]
                fn f4_a_cut_message_is_refused(message in any::$module(), cut in any::<prop::sample::Index>()) {
                    let bytes = unframed(&message.encode());
                    let cut = cut.index(bytes.len());
                    prop_assert_eq!($type::decode(&bytes[..cut]), Err(MessageError::Truncated));
                }

                #[test]
                fn f4_bytes_behind_a_message_are_refused(message in any::$module(), more: u8) {
                    let mut bytes = unframed(&message.encode()).to_vec();
                    bytes.push(more);
                    prop_assert_eq!($type::decode(&bytes), Err(MessageError::Trailing));
                }

                #[test]
                fn f4_a_damaged_message_is_read_or_refused(
                    message in any::$module(),
                    flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..4),
                ) {
                    let mut bytes = unframed(&message.encode()).to_vec();
                    for (at, flip) in flips {
                        let at = at.index(bytes.len());
                        bytes[at] ^= flip;
                    }
                    read_or_refuse(&bytes)?;
                }
            }

            /// Whatever is read is within the protocol's bounds, and is read again as it is written.
            fn read_or_refuse(bytes: &[u8]) -> Result<(), TestCaseError> {
                match $type::decode(bytes) {
                    Ok(Some(read)) => {
                        let written = unframed(&read.encode());
                        prop_assert_eq!(check(&written), Ok(()));
                        let again = $type::decode(&written).unwrap().unwrap();
                        prop_assert_eq!(unframed(&again.encode()), written);
                    }
                    Ok(None) => prop_assert_eq!(check(bytes), Ok(())),
                    Err(error) => prop_assert!(!error.name().is_empty()),
                }
                Ok(())
            }

            proptest! {
                #[test]
                fn f4_garbage_is_refused_or_skipped(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
                    read_or_refuse(&bytes)?;
                    read_or_refuse(&[&[0x92, bytes.len() as u8 % 12], &bytes[..]].concat())?;
                }
            }
        }
    };
}
laws!(to_server, ToServer);
laws!(to_client, ToClient);
laws!(edits_to_server, EditsToServer);
laws!(edits_to_client, EditsToClient);

proptest! {
    #[test]
    fn f3_the_length_of_a_value_is_known_without_writing_it(value in any::value()) {
        let bytes = rmp_serde::to_vec(&value).unwrap();
        prop_assert_eq!(encoded_len(&value), bytes.len());
        prop_assert_eq!(check(&bytes), Ok(()));
        prop_assert_eq!(rmp_serde::from_slice::<Value>(&bytes).unwrap(), value);
    }
}

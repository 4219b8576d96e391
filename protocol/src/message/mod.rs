//! Messages of the control and edits lanes, and their one coding: `[kind, {short keys}]` in MessagePack.
//!
//! The lanes' own modules name the messages; this one turns them into bytes and back (rules F1 to F6).

mod check;
pub mod control;
pub mod edits;
mod framing;
mod kept;
mod motion;
mod refusal;
mod rights;
mod value;

pub use check::check;
pub use framing::{FrameBuffer, frame};
pub use refusal::Refusal;
pub use rights::Rights;
pub use value::{Map, Value, encoded_len};

use serde::Serialize;

/// Why bytes are no message. Always the sender's fault; the server answers with close code 4001 or 4004.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The value ends before its length says so.
    #[error("the message is cut short")]
    Truncated,
    /// Bytes follow the value.
    #[error("bytes follow the message")]
    Trailing,
    /// Arrays and maps are nested deeper than any message of this protocol.
    #[error("the message is nested too deeply")]
    TooDeep,
    /// A type that the protocol does not use: MessagePack's ext and its reserved byte.
    #[error("the message has a type that the protocol does not use")]
    Type,
    /// A string that is not UTF-8.
    #[error("a string is not UTF-8")]
    Text,
    /// A key of a map that is not a string.
    #[error("a key of a map is not a string")]
    Key,
    /// An integer outside -(2^53-1) to 2^53-1.
    #[error("an integer is 2^53 or more")]
    Integer,
    /// The value is MessagePack, but not the message that its kind says: a key is missing or of a wrong type.
    #[error("the message does not have the shape of its kind")]
    Shape,
    /// The length before the message is above its cap.
    #[error("the message is longer than its cap")]
    TooLong,
}

impl MessageError {
    /// The name in `vectors/values.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Trailing => "trailing",
            Self::TooDeep => "too_deep",
            Self::Type => "type",
            Self::Text => "text",
            Self::Key => "key",
            Self::Integer => "integer",
            Self::Shape => "shape",
            Self::TooLong => "too_long",
        }
    }
}

/// Declares a lane's messages of one direction: the enum, its numbers, and its serde both ways.
macro_rules! messages {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $kind:literal => $variant:ident($body:ty),)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant($body),)*
        }

        impl $name {
            /// The length-prefixed bytes of this message, ready for its stream.
            pub fn encode(&self) -> bytes::Bytes {
                match self {
                    $(Self::$variant(body) => $crate::message::encode_kind($kind, body),)*
                }
            }

            /// Reads one message, without its length prefix. `None` is a kind of a later version: it is skipped (F5).
            ///
            /// # Errors
            /// Whatever is wrong with the bytes is the sender's fault.
            pub fn decode(bytes: &[u8]) -> Result<Option<Self>, $crate::message::MessageError> {
                $crate::message::check(bytes)?;
                let (kind, body) = $crate::message::split_kind(bytes)?;
                Ok(match kind {
                    $($kind => Some(Self::$variant($crate::message::decode_body(body)?)),)*
                    _ => None,
                })
            }
        }
    };
}
use messages;

/// Encodes `[kind, body]` with its length before it.
fn encode_kind(kind: u64, body: &impl Serialize) -> bytes::Bytes {
    let mut bytes = Vec::with_capacity(64);
    let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map();
    let encoded = (kind, body).serialize(&mut serializer);
    // A Vec takes any number of bytes, and no message has a sequence of unknown length: there is nothing to fail.
    debug_assert!(encoded.is_ok());
    frame(&bytes)
}

/// Splits `[kind, {…}]` into its kind and the bytes from the body on; the caller has checked the whole.
fn split_kind(bytes: &[u8]) -> Result<(u64, &[u8]), MessageError> {
    let (len, rest) = match bytes {
        [head @ 0x90..=0x9f, rest @ ..] => (u32::from(head & 0x0f), rest),
        [0xdc, high, low, rest @ ..] => (u32::from(u16::from_be_bytes([*high, *low])), rest),
        [0xdd, a, b, c, d, rest @ ..] => (u32::from_be_bytes([*a, *b, *c, *d]), rest),
        _ => return Err(MessageError::Shape),
    };
    // Two elements or more: a later version may add elements behind the body.
    if len < 2 {
        return Err(MessageError::Shape);
    }
    match rest {
        [kind @ 0..=0x7f, body @ ..] => Ok((u64::from(*kind), body)),
        [0xcc, kind, body @ ..] => Ok((u64::from(*kind), body)),
        [0xcd, high, low, body @ ..] => Ok((u64::from(u16::from_be_bytes([*high, *low])), body)),
        _ => Err(MessageError::Shape),
    }
}

/// Reads a body whose bytes have been checked; what follows it in the array is skipped.
fn decode_body<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, MessageError> {
    // serde would take an array for a struct, too, field by field.
    if !matches!(body.first(), Some(0x80..=0x8f | 0xde | 0xdf)) {
        return Err(MessageError::Shape);
    }
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(body);
    T::deserialize(&mut deserializer).map_err(|_| MessageError::Shape)
}

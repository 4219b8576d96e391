//! The framing of streams: a length, then one value. It stands first because every stream's bytes pass through it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = bytes.len();
});

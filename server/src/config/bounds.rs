//! Bounds of single values, checked while the file is parsed, so that an error names its line.

use std::fmt::Display;

use serde::de::{Deserialize, Deserializer, Error};

/// A whole number from `MIN` to `MAX`.
pub(super) fn within<'de, const MIN: u64, const MAX: u64, T, D>(input: D) -> Result<T, D::Error>
where
    T: TryFrom<u64, Error: Display>,
    D: Deserializer<'de>,
{
    let value = u64::deserialize(input)?;
    if !(MIN..=MAX).contains(&value) {
        return Err(D::Error::custom(format_args!("{value} is not within {MIN} and {MAX}")));
    }
    T::try_from(value).map_err(D::Error::custom)
}

/// A finite number above zero.
pub(super) fn positive<'de, D: Deserializer<'de>>(input: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(input)?;
    if value.is_finite() && value > 0.0 {
        Ok(value)
    } else {
        Err(D::Error::custom(format_args!("{value} is not a number above zero")))
    }
}

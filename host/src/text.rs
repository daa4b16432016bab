//! Nouns and verbs that agree with a number.

use std::fmt::Display;

/// The number with the noun, which is in the plural unless the number is one: `1 stream`, `2 streams`, `0 policies`.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let noun = plural(&count, noun);
    format!("{count} {noun}")
}

/// The noun alone, in the plural unless the number is one.
pub(crate) fn plural<N: PartialEq + From<u8>>(count: &N, noun: &str) -> String {
    if *count == N::from(1) {
        return noun.to_owned();
    }
    let before_y = noun
        .strip_suffix('y')
        .filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match before_y {
        Some(stem) => format!("{stem}ies"),
        None if noun.ends_with(['s', 'x']) || noun.ends_with("ch") => format!("{noun}es"),
        None => format!("{noun}s"),
    }
}

/// The verb that goes with the number: `1 stream is`, `2 streams are`.
pub(crate) fn verb<'a, N: PartialEq + From<u8>>(count: &N, one: &'a str, many: &'a str) -> &'a str {
    match *count == N::from(1) {
        true => one,
        false => many,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_is_in_the_plural_unless_there_is_one() {
        assert_eq!(counted(0_u64, "stream"), "0 streams");
        assert_eq!(counted(1_usize, "stream"), "1 stream");
        assert_eq!(counted(2_u32, "policy"), "2 policies");
        assert_eq!(counted(2_u32, "key"), "2 keys");
        assert_eq!(counted(3_u64, "loss"), "3 losses");
        assert_eq!(verb(&1_u32, "is", "are"), "is");
    }
}

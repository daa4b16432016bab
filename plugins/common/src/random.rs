/// A whole number in `low..=high`, every one as likely as the others (to within one part in 2³²), from a random word.
/// `low` where the bounds are crossed.
pub fn between(entropy: u64, low: u32, high: u32) -> u32 {
    let span = u128::from(high.saturating_sub(low)) + 1;
    // The word as a fraction of 2⁶⁴, times the span: below the span, hence within 32 bits.
    let offset = (u128::from(entropy) * span) >> 64;
    low.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn the_whole_range_is_reached_and_never_left() {
        assert_eq!(between(0, 10, 20), 10);
        assert_eq!(between(u64::MAX, 10, 20), 20);
        assert_eq!(between(u64::MAX / 2, 0, 100), 50);
        assert_eq!(between(u64::MAX, 0, u32::MAX), u32::MAX);
        assert_eq!(between(7, 5, 5), 5);
        assert_eq!(between(u64::MAX, 9, 3), 9);
    }
}

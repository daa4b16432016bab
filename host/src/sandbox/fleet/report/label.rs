//! Finds a place for a label at a point of a plot: inside of the panel, crossed by no curve and by no other label.

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// Maximum width of a letter, in a label or the name of a tick, in the fonts that browsers substitute.
const LETTER: f64 = 8.2;
const TICK_LETTER: f64 = 8.0;

/// How far letters reach above and below their baseline.
const ABOVE: f64 = 11.0;
const BELOW: f64 = 3.0;

/// The space between a point and its label.
const GAP: f64 = 8.0;

/// Space that stays free between a label and a curve.
const CLEAR: f64 = 2.0;

impl Area {
    fn overlaps(&self, other: &Area) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn is_within(&self, other: &Area) -> bool {
        self.left >= other.left
            && self.right <= other.right
            && self.top >= other.top
            && self.bottom <= other.bottom
    }

    /// Whether the straight line between two points crosses the rectangle, by the method of Liang and Barsky.
    pub(super) fn is_crossed(&self, from: (f64, f64), to: (f64, f64)) -> bool {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let sides = [
            (-dx, from.0 - self.left),
            (dx, self.right - from.0),
            (-dy, from.1 - self.top),
            (dy, self.bottom - from.1),
        ];
        let (mut enters, mut leaves) = (0.0_f64, 1.0_f64);
        for (along, distance) in sides {
            if along == 0.0 {
                if distance < 0.0 {
                    return false;
                }
                continue;
            }
            let at = distance / along;
            match along < 0.0 {
                true => enters = enters.max(at),
                false => leaves = leaves.min(at),
            }
        }
        enters <= leaves
    }

    /// Where the text begins: its baseline.
    pub(super) fn baseline(&self) -> (f64, f64) {
        (self.left, self.bottom - BELOW)
    }
}

/// Finds a place for a text of this many letters at this point, within `bounds`. If every place is crossed by
/// something, returns the one with the fewest crossings.
pub(super) fn place(
    at: (f64, f64),
    letters: usize,
    bounds: &Area,
    curves: &[Vec<(f64, f64)>],
    taken: &[Area],
) -> Area {
    let (width, height) = (letters as f64 * LETTER, ABOVE + BELOW);
    let near = |left: f64, top: f64| {
        let left = left.min(bounds.right - width).max(bounds.left);
        let top = top.min(bounds.bottom - height).max(bounds.top);
        Area {
            left,
            top,
            right: left + width,
            bottom: top + height,
        }
    };
    let (x, y) = at;
    let (left, right) = (x - GAP - width, x + GAP);
    let (above, below) = (y - GAP - height, y + GAP);
    let candidates = [
        // Beside a curve that rises there is always room on one of these two sides.
        (left, above),
        (right, below),
        // And above a peak.
        (x - width / 2.0, above),
        (right, above),
        (left, below),
        (right, y - height / 2.0),
        (left, y - height / 2.0),
        (x - width / 2.0, below),
    ];
    let candidates = candidates.map(|(left, top)| near(left, top));
    let crossings = |area: &Area| {
        let wide = Area {
            left: area.left - CLEAR,
            top: area.top - CLEAR,
            right: area.right + CLEAR,
            bottom: area.bottom + CLEAR,
        };
        let curves = curves.iter().filter(|curve| {
            let pairs = curve.windows(2);
            pairs
                .filter_map(|pair| Some((*pair.first()?, *pair.last()?)))
                .any(|(from, to)| wide.is_crossed(from, to))
        });
        let point = Area {
            left: x - GAP / 2.0,
            top: y - GAP / 2.0,
            right: x + GAP / 2.0,
            bottom: y + GAP / 2.0,
        };
        let labels = taken.iter().chain([&point]);
        curves.count() + labels.filter(|other| area.overlaps(other)).count()
    };
    let mut best = candidates[0];
    let mut fewest = usize::MAX;
    for candidate in candidates {
        let count = crossings(&candidate);
        if count < fewest && candidate.is_within(bounds) {
            (best, fewest) = (candidate, count);
        }
    }
    best
}

/// Where the name of a tick begins so that it is centred at `x`, and still whole between the panel's sides.
pub(super) fn tick(x: f64, name: &str, width: f64) -> f64 {
    let half = name.chars().count() as f64 * TICK_LETTER / 2.0;
    x.min(width - half).max(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Area = Area {
        left: 0.0,
        top: 0.0,
        right: 360.0,
        bottom: 260.0,
    };

    fn is_clear(area: &Area, curve: &[(f64, f64)]) -> bool {
        area.is_within(&BOUNDS)
            && !curve
                .windows(2)
                .any(|pair| area.is_crossed(pair[0], pair[1]))
    }

    #[test]
    fn a_line_crosses_an_area_that_it_passes_through() {
        let area = Area {
            left: 10.0,
            top: 10.0,
            right: 20.0,
            bottom: 20.0,
        };
        assert!(area.is_crossed((0.0, 15.0), (30.0, 15.0)));
        assert!(area.is_crossed((12.0, 12.0), (13.0, 13.0)));
        assert!(area.is_crossed((15.0, 0.0), (15.0, 12.0)));
        assert!(!area.is_crossed((0.0, 0.0), (30.0, 5.0)));
        assert!(!area.is_crossed((0.0, 15.0), (9.0, 15.0)));
    }

    #[test]
    fn no_label_of_a_rising_curve_is_crossed_by_it_or_cut_off() {
        for steepness in [0.2, 1.0, 6.0] {
            let curve: Vec<(f64, f64)> = (0..=300)
                .map(|at| {
                    let x = f64::from(at) / 300.0;
                    (52.0 + x * 296.0, 240.0 - 210.0 * x.powf(steepness))
                })
                .collect();
            for at in &curve {
                let label = place(*at, 20, &BOUNDS, std::slice::from_ref(&curve), &[]);
                assert!(is_clear(&label, &curve), "{at:?}: {label:?}");
            }
        }
    }

    #[test]
    fn the_label_of_a_peak_is_above_it_and_whole_at_both_sides() {
        for peak in [55.0, 200.0, 345.0] {
            let curve = vec![(52.0, 240.0), (peak, 40.0), (348.0, 240.0)];
            let label = place((peak, 40.0), 32, &BOUNDS, std::slice::from_ref(&curve), &[]);
            assert!(is_clear(&label, &curve), "{peak}: {label:?}");
        }
    }

    #[test]
    fn labels_do_not_cover_each_other() {
        let first = place((180.0, 100.0), 12, &BOUNDS, &[], &[]);
        let second = place((182.0, 102.0), 12, &BOUNDS, &[], &[first]);
        assert!(!first.overlaps(&second), "{first:?} {second:?}");
    }

    #[test]
    fn names_of_ticks_stay_within_the_panel() {
        assert_eq!(tick(180.0, "2h 25m", 360.0), 180.0);
        assert_eq!(tick(348.0, "2h 25m", 360.0), 336.0);
        assert_eq!(tick(2.0, "2h 25m", 360.0), 24.0);
    }
}

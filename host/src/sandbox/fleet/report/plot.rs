//! Draws one panel of a plot as SVG. Colours are classes, so that the page's style decides on them.

use std::fmt::Write as _;

use super::axis::Axis;
use super::label;
use super::words::escaped;

/// Room around the drawing for the names of ticks.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 40.0;
/// The height of the y axis's label, at the top of the panel.
const LABEL: f64 = 12.0;

/// Pixels between two names, so that they don't touch.
const BETWEEN_X: f64 = 74.0;
const BETWEEN_Y: f64 = 44.0;

/// What is drawn.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) x_label: &'static str,
    pub(super) y_label: &'static str,
    pub(super) shapes: Vec<Shape>,
    /// Values that are told where a pointer rests: from, to, the words.
    pub(super) hints: Vec<(f64, f64, String)>,
}

/// A part of a drawing.
#[derive(Debug)]
pub(super) enum Shape {
    /// Between two rows of y, over the same x: x, low, high.
    Area(&'static str, Vec<(f64, f64, f64)>),
    /// Through points.
    Line(&'static str, Vec<(f64, f64)>),
    /// From the bottom up: from, to, height.
    Bars(&'static str, Vec<(f64, f64, f64)>),
    /// A time in which something is wrong.
    Window(f64, f64),
    /// A point that is named.
    Mark(f64, f64, String),
}

impl Plot {
    /// The panel of this size.
    pub(super) fn draw(&self, width: f64, height: f64, title: &str) -> String {
        let canvas = Canvas {
            plot: self,
            width,
            height,
            svg: String::new(),
        };
        canvas.draw(title)
    }
}

struct Canvas<'a> {
    plot: &'a Plot,
    width: f64,
    height: f64,
    svg: String,
}

impl Canvas<'_> {
    fn x(&self, value: f64) -> f64 {
        LEFT + self.plot.x.place(value) * (self.width - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        self.height - BOTTOM - self.plot.y.place(value) * (self.height - TOP - BOTTOM)
    }

    fn draw(mut self, title: &str) -> String {
        let (width, height, title) = (self.width, self.height, escaped(title));
        let mut svg =
            format!(r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}">"#);
        let shapes = &self.plot.shapes;
        let behind = |shape: &&Shape| matches!(shape, Shape::Window(..));
        for shape in shapes.iter().filter(behind) {
            self.shape(shape);
        }
        self.grid();
        for shape in shapes.iter().filter(|shape| !behind(shape)) {
            self.shape(shape);
        }
        self.marks();
        self.hints();
        svg.push_str(&self.svg);
        svg.push_str("</svg>");
        svg
    }

    // Writing into a String can't fail.
    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.svg.write_fmt(text);
    }

    fn grid(&mut self) {
        let (left, right) = (LEFT, self.width - RIGHT);
        let (top, bottom) = (TOP, self.height - BOTTOM);
        let wanted = ((bottom - top) / BETWEEN_Y).max(2.0) as usize;
        for (value, name) in self.plot.y.ticks(wanted) {
            let y = self.y(value);
            self.put(format_args!(
                r#"<path class="grid" d="M{left:.0} {y:.1}H{right:.0}"/><text class="tick" x="{:.0}" y="{:.1}" text-anchor="end">{name}</text>"#,
                left - 6.0,
                y + 4.0
            ));
        }
        let wanted = ((right - left) / BETWEEN_X).max(2.0) as usize;
        for (value, name) in self.plot.x.ticks(wanted) {
            let x = self.x(value);
            self.put(format_args!(
                r#"<path class="axis" d="M{x:.1} {bottom:.0}v4"/><text class="tick" x="{:.1}" y="{:.0}" text-anchor="middle">{name}</text>"#,
                label::tick(x, &name, self.width),
                bottom + 16.0
            ));
        }
        let (x_label, y_label) = (self.plot.x_label, self.plot.y_label);
        self.put(format_args!(
            r#"<path class="axis" d="M{left:.0} {bottom:.0}H{right:.0}"/><text class="label" x="{right:.0}" y="{:.0}" text-anchor="end">{x_label}</text><text class="label" x="4" y="10">{y_label}</text>"#,
            self.height - 6.0
        ));
    }

    fn shape(&mut self, shape: &Shape) {
        match shape {
            Shape::Area(class, points) => {
                let Some(first) = points.first() else {
                    return;
                };
                let mut path = format!("M{:.1} {:.1}", self.x(first.0), self.y(first.1));
                for (x, _, high) in points {
                    let _ = write!(path, "L{:.1} {:.1}", self.x(*x), self.y(*high));
                }
                for (x, low, _) in points.iter().rev() {
                    let _ = write!(path, "L{:.1} {:.1}", self.x(*x), self.y(*low));
                }
                self.put(format_args!(r#"<path class="area {class}" d="{path}Z"/>"#));
            }
            Shape::Line(class, points) => {
                let mut path = String::new();
                let mut step = 'M';
                for (x, y) in points {
                    // A line along the bottom would say that there is something.
                    if self.plot.y.is_below(*y) {
                        step = 'M';
                        continue;
                    }
                    let _ = write!(path, "{step}{:.1} {:.1}", self.x(*x), self.y(*y));
                    step = 'L';
                }
                self.put(format_args!(r#"<path class="line {class}" d="{path}"/>"#));
            }
            Shape::Bars(class, bars) => {
                for (from, to, high) in bars.iter().filter(|bar| bar.2 > 0.0) {
                    let (left, right) = (self.x(*from), self.x(*to));
                    let (top, bottom) = (self.y(*high), self.height - BOTTOM);
                    // The smallest share can still be seen.
                    let tall = (bottom - top).max(1.5);
                    self.put(format_args!(
                        r#"<rect class="area {class}" x="{:.1}" y="{:.1}" width="{:.1}" height="{tall:.1}"/>"#,
                        left + 1.0,
                        bottom - tall,
                        (right - left - 2.0).max(1.0)
                    ));
                }
            }
            Shape::Window(from, to) => {
                let (left, right) = (self.x(*from), self.x(*to));
                self.put(format_args!(
                    r#"<rect class="window" x="{left:.1}" y="{TOP:.0}" width="{:.1}" height="{:.1}"/>"#,
                    (right - left).max(1.0),
                    self.height - TOP - BOTTOM
                ));
            }
            // They are placed when every curve is known.
            Shape::Mark(..) => {}
        }
    }

    /// Points with their names, which no curve crosses.
    fn marks(&mut self) {
        let curves = self.curves();
        let bounds = label::Area {
            left: LEFT,
            top: LABEL,
            right: self.width - 2.0,
            bottom: self.height - BOTTOM,
        };
        let mut taken = Vec::new();
        for shape in &self.plot.shapes {
            let Shape::Mark(x, y, words) = shape else {
                continue;
            };
            let at = (self.x(*x), self.y(*y));
            let area = label::place(at, words.chars().count(), &bounds, &curves, &taken);
            let (left, baseline) = area.baseline();
            self.put(format_args!(
                r#"<circle class="mark" cx="{:.1}" cy="{:.1}" r="3.5"/><text class="named" x="{left:.1}" y="{baseline:.1}">{}</text>"#,
                at.0,
                at.1,
                escaped(words)
            ));
            taken.push(area);
        }
    }

    /// Every drawn line, and the upper edge of every area, in pixels.
    fn curves(&self) -> Vec<Vec<(f64, f64)>> {
        let curve = |shape: &Shape| match shape {
            Shape::Line(_, points) => Some(
                points
                    .iter()
                    .map(|(x, y)| (self.x(*x), self.y(*y)))
                    .collect(),
            ),
            Shape::Area(_, points) => Some(
                points
                    .iter()
                    .map(|(x, _, high)| (self.x(*x), self.y(*high)))
                    .collect(),
            ),
            Shape::Bars(..) | Shape::Window(..) | Shape::Mark(..) => None,
        };
        self.plot.shapes.iter().filter_map(curve).collect()
    }

    fn hints(&mut self) {
        let plot = self.plot;
        for (from, to, words) in &plot.hints {
            let (left, right) = (self.x(*from), self.x(*to));
            self.put(format_args!(
                r#"<rect class="hint" x="{left:.1}" y="{TOP:.0}" width="{:.1}" height="{:.1}"><title>{}</title></rect>"#,
                (right - left).max(0.5),
                self.height - TOP - BOTTOM,
                escaped(words)
            ));
        }
    }
}

//! Colours. Conditions are ordered, so their colours are too: from light to dark, told apart by
//! lightness alone where hue is not seen. Signed quantities get two hues that colour-blind readers
//! tell apart, with white at zero.

/// Grey of what stands beside the compared conditions.
pub(super) const ASIDE: &str = "#8b93a1";
/// Grey of reference lines: zero, chance, baseline.
pub(super) const REFERENCE: &str = "#6b7280";

/// Light to dark (after matplotlib's plasma, reversed, its yellow end left out).
const STOPS: [[f64; 3]; 5] = [
    [240.0, 158.0, 53.0],
    [220.0, 92.0, 104.0],
    [164.0, 44.0, 140.0],
    [94.0, 24.0, 148.0],
    [26.0, 18.0, 94.0],
];

/// Diverging: blue below zero, white at zero, orange above.
pub(super) const DIVERGING: [(f64, &str); 7] = [
    (0.0, "#123e6b"),
    (0.2, "#3a7cb5"),
    (0.4, "#b9d4e8"),
    (0.5, "#fbfbf9"),
    (0.6, "#fbd5ae"),
    (0.8, "#dd7f2b"),
    (1.0, "#7d3406"),
];

/// One hue, light to dark.
pub(super) const SINGLE: [(f64, &str); 3] = [(0.0, "#f4f4f1"), (0.5, "#93a5ba"), (1.0, "#223a56")];

/// Colour `index` of `n` ordered ones, as `#rrggbb`.
pub(super) fn sequential(index: usize, n: usize) -> String {
    let position = if n < 2 { 0.6 } else { index as f64 / (n - 1) as f64 };
    let scaled = position.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let below = (scaled.floor() as usize).min(STOPS.len() - 2);
    let share = scaled - below as f64;
    let channel = |c: usize| {
        let value = STOPS[below][c] + (STOPS[below + 1][c] - STOPS[below][c]) * share;
        value.round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", channel(0), channel(1), channel(2))
}

/// A `#rrggbb` colour made translucent.
pub(super) fn translucent(color: &str, alpha: f64) -> String {
    let channel = |i: usize| color.get(i..i + 2).and_then(|c| u8::from_str_radix(c, 16).ok()).unwrap_or(128);
    format!("rgba({},{},{},{alpha})", channel(1), channel(3), channel(5))
}

/// Colours of the roles of segments, told apart by colour-blind readers (Okabe & Ito 2008); more roles take them again.
pub(super) fn role(number: usize) -> &'static str {
    const ROLES: [&str; 7] = ["#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#8b93a1"];
    ROLES[number % ROLES.len()]
}

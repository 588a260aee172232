//! Tests of colours: contrast in the light, dark and print themes, and equality with the charts' colours.

use std::collections::BTreeMap;

use leakcheck_model::Verdict;

use crate::chart::palette;
use crate::html::CSS;

type Colors = BTreeMap<&'static str, (u8, u8, u8)>;

/// Returns the variables of the `:root` block behind `marker`, over those of `base`.
fn theme(marker: &str, base: &Colors) -> Colors {
    let behind = &CSS[CSS.find(marker).expect("a theme")..];
    let block = behind
        .split(":root {")
        .nth(1)
        .expect(":root")
        .split('}')
        .next()
        .expect("its end");
    let variables = block
        .split(';')
        .filter_map(|line| line.trim().strip_prefix("--")?.split_once(':'));
    let colors = variables.map(|(name, value)| (name, color(value.trim())));
    base.iter().map(|(n, c)| (*n, *c)).chain(colors).collect()
}

fn themes() -> [(&'static str, Colors); 3] {
    let light = theme(":root {", &Colors::new());
    let dark = theme("prefers-color-scheme: dark", &light);
    // A page printed in the dark theme has its colours as defaults.
    let print = theme("@media print", &dark);
    [("light", light), ("dark", dark), ("print", print)]
}

/// Parses `#rgb` or `#rrggbb`.
fn color(text: &str) -> (u8, u8, u8) {
    let digits: String = match text.trim_start_matches('#') {
        short if short.len() == 3 => short.chars().flat_map(|c| [c, c]).collect(),
        long => long.to_owned(),
    };
    let part =
        |at: usize| u8::from_str_radix(digits.get(at..at + 2).unwrap_or("x"), 16).unwrap_or_else(|_| panic!("{text}"));
    (part(0), part(2), part(4))
}

/// Returns the relative luminance (WCAG 2.2).
fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.04045 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// Returns the contrast ratio from 1 to 21 (WCAG 2.2).
fn contrast(a: (u8, u8, u8), b: (u8, u8, u8)) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn contrast_matches_the_values_of_the_standard() {
    assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 1e-9);
    // The standard's example of a grey that just fails.
    assert!((contrast((0x77, 0x77, 0x77), (255, 255, 255)) - 4.48).abs() < 0.01);
}

#[test]
fn text_and_lines_have_enough_contrast_in_every_theme() {
    const TEXT: f64 = 4.5;
    const STROKE: f64 = 3.0;
    const WHITE: (u8, u8, u8) = (255, 255, 255);
    for (name, colors) in themes() {
        let of = |variable: &str| *colors.get(variable).unwrap_or_else(|| panic!("--{variable}"));
        for background in ["background", "card"] {
            for text in ["text", "muted", "link", "limit"] {
                let ratio = contrast(of(text), of(background));
                assert!(ratio >= TEXT, "{name}: --{text} on --{background}: {ratio:.2}");
            }
        }
        for badge in ["pass", "fail", "invalid", "inconclusive", "link-badge"] {
            let ratio = contrast(WHITE, of(badge));
            assert!(ratio >= TEXT, "{name}: white on --{badge}: {ratio:.2}");
        }
        for stroke in ["measured", "growth", "limit", "unjudged"] {
            let ratio = contrast(of(stroke), of("background"));
            assert!(ratio >= STROKE, "{name}: --{stroke} on --background: {ratio:.2}");
        }
    }
}

#[test]
fn charts_have_the_colours_of_the_page() {
    let [(_, light), ..] = themes();
    for (variable, color) in [
        ("background", palette::WHITE),
        ("text", palette::TEXT),
        ("muted", palette::MUTED),
        ("grid", palette::GRID),
        ("measured", palette::MEASURED),
        ("growth", palette::GROWTH),
        ("limit", palette::LIMIT),
        ("fault", palette::FAULT),
        ("unjudged", palette::UNJUDGED),
        ("pass", palette::of_verdict(Verdict::Pass)),
        ("fail", palette::of_verdict(Verdict::Fail)),
        ("invalid", palette::of_verdict(Verdict::Invalid)),
        ("inconclusive", palette::of_verdict(Verdict::Inconclusive)),
    ] {
        assert_eq!(light[variable], color, "--{variable}");
    }
}

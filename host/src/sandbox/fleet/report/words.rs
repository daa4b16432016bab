//! Numbers, lengths of time and settings for people.

use std::time::Duration;

use crate::config::Settings;
use crate::sandbox::fleet::{Fleet, Start};
use crate::sandbox::store::{Effect, Fault, Latency, RateLimits};
use crate::text::{counted, plural};
use crate::time::{in_full, in_short};

/// A whole number with commas between thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The number with commas between thousands, and the noun.
pub(super) fn many(count: u64, noun: &str) -> String {
    format!("{} {}", grouped(count), plural(&count, noun))
}

/// A large number with two digits behind the point: `1.25 billion`.
pub(super) fn rounded(number: u64) -> String {
    let scaled = |unit: u64, name: &str| {
        let hundredths = u128::from(number) * 100 / u128::from(unit);
        format!("{}.{:02} {name}", hundredths / 100, hundredths % 100)
    };
    match number {
        1_000_000_000_000.. => scaled(1_000_000_000_000, "trillion"),
        1_000_000_000.. => scaled(1_000_000_000, "billion"),
        10_000_000.. => scaled(1_000_000, "million"),
        _ => grouped(number),
    }
}

/// Dollars and cents; of small sums, four digits.
pub(super) fn dollars(sum: f64) -> String {
    match sum >= 1.0 {
        true => format!("${sum:.2}"),
        false => format!("${sum:.4}"),
    }
}

/// A length in milliseconds, or a dash.
pub(super) fn length(millis: Option<u64>) -> String {
    millis.map_or_else(
        || "–".to_owned(),
        |millis| in_short(Duration::from_millis(millis)),
    )
}

/// A moment of the simulated time, as the duration since its start: `2h 10m`.
pub(super) fn moment(seconds: u64) -> String {
    in_full(Duration::from_secs(seconds))
}

fn quantiles(latency: &Latency) -> String {
    let at = |part| in_short(latency.quantile(part));
    format!(
        "half within {}, 99 of 100 within {}, all within {}",
        at(500_000),
        at(990_000),
        at(1_000_000)
    )
}

fn limits(limits: RateLimits) -> String {
    let whose = match limits.prefix_depth {
        0 => "of each cluster".to_owned(),
        1 => "of each stream of each cluster".to_owned(),
        depth => format!("of each {depth} first segments of the keys"),
    };
    format!(
        "{} and {} a second {whose}",
        many(limits.writes.into(), "write"),
        many(limits.reads.into(), "read")
    )
}

/// What the fleet goes through, line by line.
pub(super) fn scenario(fleet: &Fleet) -> Vec<String> {
    let scenario = &fleet.scenario;
    let span = |length: Duration| moment(length.as_secs());
    let mut lines = vec![match scenario.start {
        Start::Together(over) => format!("All nodes start within {}.", in_short(over)),
        Start::Rolling(over) => format!(
            "The nodes of each cluster start one after another, over {}.",
            span(over)
        ),
    }];
    if let Some(every) = scenario.streams.schema_every {
        lines.push(format!(
            "Each stream's schema gets a field about every {}, on all nodes within {}.",
            span(every),
            in_short(scenario.streams.spread)
        ));
    }
    for wave in &scenario.streams.waves {
        lines.push(format!(
            "From {} on every stream's schema gets a field, over {}.",
            span(wave.at),
            span(wave.over)
        ));
    }
    if scenario.streams.late_in_a_million > 0 {
        lines.push(format!(
            "{}% of the streams have data before their first schema, by {} at most.",
            f64::from(scenario.streams.late_in_a_million) / 10_000.0,
            in_short(scenario.streams.late_by)
        ));
    }
    if let Some(skew) = &scenario.skew {
        lines.push(format!(
            "Wall clocks are off, forwards or backwards: {}.",
            quantiles(skew)
        ));
    }
    lines.push(format!(
        "The store answers {}.",
        quantiles(&scenario.latency)
    ));
    if let Some(taken) = scenario.limits {
        lines.push(format!("It takes {}.", limits(taken)));
    }
    for squeeze in &scenario.squeezes {
        lines.push(format!(
            "From {} to {} it takes {}.",
            span(squeeze.from),
            span(squeeze.until),
            limits(squeeze.limits)
        ));
    }
    lines.extend(scenario.faults.iter().map(fault));
    lines
}

fn fault(fault: &Fault) -> String {
    let from = moment(fault.from.as_secs());
    let when = match fault.until {
        Some(until) => format!("From {from} to {}", moment(until.as_secs())),
        None => format!("From {from} on"),
    };
    let share = match fault.in_a_million {
        1_000_000 => "every".to_owned(),
        share => format!("{}% of all", f64::from(share) / 10_000.0),
    };
    let operations: Vec<_> = fault.operations.iter().map(|one| one.name()).collect();
    let operations = match operations.is_empty() {
        true => String::new(),
        false => format!("{} ", operations.join(", ")),
    };
    let (noun, they) = match fault.in_a_million {
        1_000_000 => ("request", true),
        _ => ("requests", false),
    };
    let glob = |what: &str, glob: &Option<globset::GlobMatcher>| {
        let glob = glob
            .as_ref()
            .map(|glob| format!(" {what} `{}`", glob.glob().glob()));
        glob.unwrap_or_default()
    };
    let (keys, nodes) = (glob("for", &fault.keys), glob("of", &fault.nodes));
    let verb = |one: &'static str, many: &'static str| if they { one } else { many };
    let what = match &fault.effect {
        Effect::Fail(failure) => format!("{} ({})", verb("fails", "fail"), failure.kind),
        Effect::Slow(latency) => {
            format!("{} longer: {}", verb("takes", "take"), quantiles(latency))
        }
        Effect::Hang => format!("{} never answered", verb("is", "are")),
        Effect::LoseAnswer => format!("{} done and never answered", verb("is", "are")),
        Effect::Cut => format!("{} done, and the connection breaks", verb("is", "are")),
        Effect::Tear => "breaks off in the middle, where it lists".to_owned(),
        Effect::IgnoreCondition => format!("{} its condition ignored", verb("has", "have")),
        Effect::Race(_) | Effect::Clobber(_) => "meets another writer".to_owned(),
        Effect::Late(length) => format!("{} done {} later", verb("is", "are"), in_short(*length)),
    };
    format!("{when} {share} {operations}{noun}{keys}{nodes} {what}.")
}

/// What a configuration says, line by line.
pub(super) fn configuration(settings: &Settings) -> Vec<String> {
    let chain = |role: &str, names: &[String]| {
        let policies = names.iter().map(|name| {
            let policy = settings.policies.get(name);
            let known = policy.map(|policy| policy.settings.to_string());
            match known.filter(|text| text != "{}") {
                Some(text) => format!("{name} {text}"),
                None => name.clone(),
            }
        });
        let policies: Vec<_> = policies.collect();
        match policies.is_empty() {
            true => format!("{role}: the host's default"),
            false => format!("{role}: {}", policies.join(", then ")),
        }
    };
    let streams = &settings.streams;
    let mut lines = vec![
        chain("Existence", &streams.existence),
        chain("Fallback", &streams.fallback),
        chain("Retry", &streams.retry),
        format!(
            "Retries come after {} at least and {} at most",
            in_short(streams.rules.min_delay),
            in_short(streams.rules.max_delay)
        ),
        match settings.verify.interval {
            Some(interval) => format!("Verification every {}", in_short(interval)),
            None => "No verification".to_owned(),
        },
        format!(
            "{} a second a node, {} at once",
            counted(settings.store.requests_per_second.get(), "request"),
            settings.store.burst
        ),
        format!("Layout {}", settings.staging.layout.name()),
    ];
    if !settings.rules.is_empty() {
        lines.push(format!(
            "{} for single streams",
            counted(settings.rules.len(), "rule")
        ));
    }
    lines
}

/// The text with everything escaped that means something in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() && letter != '\n' => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(rounded(1_259_000_000), "1.25 billion");
        assert_eq!(moment(7_800), "2h 10m");
        assert_eq!(moment(0), "0s");
        assert_eq!(many(1, "stream"), "1 stream");
        assert_eq!(many(2_000, "stream"), "2,000 streams");
        assert_eq!(length(None), "–");
    }

    #[test]
    fn nothing_of_a_text_is_markup() {
        assert_eq!(
            escaped("<b a='1' c=\"2\">&\u{1b}"),
            "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;\u{fffd}"
        );
    }
}

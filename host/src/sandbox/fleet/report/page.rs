//! The report as one HTML file, which asks for nothing from anywhere.

use super::figures::{self, Figure};
use super::numbers::PRICES;
use super::words::{dollars, escaped, grouped, length, many, moment, rounded, scenario};
use super::{Numbers, Run};
use crate::sandbox::fleet::Fleet;

const STYLE: &str = include_str!("style.css");

/// How large a panel is drawn: alone, one of two, and on a phone. The page shows the one that fits.
const ALONE: (f64, f64) = (1080.0, 300.0);
const PAIRED: (f64, f64) = (540.0, 290.0);
const NARROW: (f64, f64) = (360.0, 260.0);

pub(super) fn html(fleet: &Fleet, runs: &[Run], verdict: &str) -> String {
    let name = escaped(&fleet.scenario.name);
    let fleet_in_words = format!(
        "{} × {}, {}, seed {}",
        many(fleet.nodes.into(), "node"),
        many(fleet.streams.into(), "stream"),
        moment(fleet.length.as_secs()),
        fleet.seed
    );
    let counts: Vec<_> = runs.iter().map(|run| &run.counts).collect();
    let figures: String = figures::all(fleet, &counts)
        .iter()
        .map(|one| figure(one, runs))
        .collect();
    let verdict = escaped(verdict);
    let (cards, settings) = (cards(runs), settings(runs));
    let lines = list(&scenario(fleet));
    let (about, text) = (
        escaped(&fleet.scenario.about),
        escaped(&fleet.scenario.text),
    );
    let table = table(runs);
    let clusters = if fleet.clusters() == 1 {
        format!(
            "One cluster of {}, which share their streams.",
            many(fleet.nodes.into(), "node")
        )
    } else {
        format!(
            "{} clusters of {}, which share their streams; clusters share nothing but the time.",
            grouped(fleet.clusters().into()),
            many(fleet.scenario.cluster.min(fleet.nodes).into(), "node")
        )
    };
    let program = env!("CARGO_PKG_VERSION");
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{name}: a simulated fleet</title>
<style>
{STYLE}</style>
</head>
<body>
<header>
<p class="kicker">Tidegate · simulated fleet</p>
<h1>{name}</h1>
<p class="fleet">{fleet_in_words}</p>
<p class="verdict">{verdict}</p>
</header>
{cards}
<section class="words">
<div><h2>Scenario</h2><p>{about}</p>{lines}
<details><summary>The scenario's file</summary><pre>{text}</pre></details></div>
<div><h2>Fleet</h2><p>{clusters} Every verdict is a real one: the agents, the policies and the engine are those of production.</p>
{settings}</div>
</section>
{figures}
<section><h2>Numbers</h2>
{table}
<p class="note">{PRICES}.</p>
</section>
<footer>tidegate {program}. The same seed, scenario and configuration make the same report, byte for byte.</footer>
</body>
</html>
"#
    )
}

/// The figures that matter most, at a glance.
fn cards(runs: &[Run]) -> String {
    let figure = |name: &str, of: &dyn Fn(&Numbers) -> String| {
        let values: String = runs
            .iter()
            .enumerate()
            .map(|(at, run)| format!(r#"<b class="run{at}">{}</b>"#, escaped(&of(&run.numbers))))
            .collect();
        format!(r#"<div class="card"><span>{name}</span>{values}</div>"#)
    };
    let cards = [
        figure("half of the schemas stored within", &|n| {
            length(n.convergence.p50_ms)
        }),
        figure("99 of 100 within", &|n| length(n.convergence.p99_ms)),
        figure("never stored", &|n| grouped(n.unconverged)),
        figure("busiest second, requests", &|n| grouped(n.peak.requests)),
        figure("requests that failed", &|n| share(n.failed, n.requests)),
        figure("requests cost", &|n| dollars(n.cost_usd)),
    ];
    let key = match runs {
        [one, other] => format!(
            r#"<p class="key"><b class="run0">{}</b><b class="run1">{}</b></p>"#,
            escaped(&one.name),
            escaped(&other.name)
        ),
        _ => String::new(),
    };
    format!(
        r#"{key}<section class="cards">{}</section>"#,
        cards.concat()
    )
}

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        whole => format!("{:.1}%", part as f64 / whole as f64 * 100.0),
    }
}

fn settings(runs: &[Run]) -> String {
    runs.iter()
        .map(|run| format!("<h3>{}</h3>{}", escaped(&run.name), list(&run.settings)))
        .collect()
}

fn list(lines: &[String]) -> String {
    let items: String = lines
        .iter()
        .map(|line| format!("<li>{}</li>", escaped(line)))
        .collect();
    format!("<ul>{items}</ul>")
}

fn figure(figure: &Figure, runs: &[Run]) -> String {
    let size = if runs.len() > 1 { PAIRED } else { ALONE };
    let panels: String = figure
        .panels
        .iter()
        .zip(runs)
        .map(|(plot, run)| {
            let title = format!("{}, {}", figure.title, run.name);
            let name = match runs.len() {
                1 => String::new(),
                _ => format!("<h3>{}</h3>", escaped(&run.name)),
            };
            format!(
                r#"<div class="panel">{name}<div class="wide">{}</div><div class="narrow">{}</div></div>"#,
                plot.draw(size.0, size.1, &title),
                plot.draw(NARROW.0, NARROW.1, &title)
            )
        })
        .collect();
    let legend: String = figure
        .legend
        .iter()
        .map(|(class, name)| format!(r#"<span class="{class}">{}</span>"#, escaped(name)))
        .collect();
    let (title, caption) = (escaped(&figure.title), escaped(&figure.caption));
    format!(
        r#"<section><h2>{title}</h2><p class="caption">{caption}</p><p class="legend">{legend}</p><div class="panels">{panels}</div></section>
"#
    )
}

fn table(runs: &[Run]) -> String {
    let head: String = runs
        .iter()
        .map(|run| format!("<th>{}</th>", escaped(&run.name)))
        .collect();
    let rows: String = rows(runs)
        .into_iter()
        .map(|(name, values)| {
            let cells: String = values
                .iter()
                .map(|value| format!("<td>{}</td>", escaped(value)))
                .collect();
            format!("<tr><th>{}</th>{cells}</tr>", escaped(&name))
        })
        .collect();
    format!(
        r#"<div class="scroll"><table><thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"#
    )
}

/// The numbers, one row each.
pub(super) fn rows(runs: &[Run]) -> Vec<(String, Vec<String>)> {
    let row = |name: &str, of: &dyn Fn(&Numbers) -> String| {
        let values = runs.iter().map(|run| of(&run.numbers)).collect();
        (name.to_owned(), values)
    };
    let mut rows = vec![
        row("streams", &|n| grouped(n.streams)),
        row("schemas staged", &|n| grouped(n.changes)),
        row("seen in the store, half within", &|n| {
            length(n.convergence.p50_ms)
        }),
        row("99 of 100 within", &|n| length(n.convergence.p99_ms)),
        row("the last within", &|n| length(n.convergence.max_ms)),
        row("not seen there at the end", &|n| grouped(n.unconverged)),
        row("streams unsettled at the end", &|n| grouped(n.unsettled)),
        row("requests", &|n| grouped(n.requests)),
    ];
    let kinds = |of: fn(&Numbers) -> &Vec<(&'static str, u64)>| {
        let mut names: Vec<(usize, &'static str)> = Vec::new();
        for run in runs {
            for (at, (name, count)) in of(&run.numbers).iter().enumerate() {
                if *count > 0 && !names.contains(&(at, name)) {
                    names.push((at, name));
                }
            }
        }
        names.sort_unstable();
        let rows = names.into_iter().map(move |(at, name)| {
            row(&format!("· {name}"), &|n| {
                grouped(of(n).get(at).map_or(0, |(_, count)| *count))
            })
        });
        rows.collect::<Vec<_>>()
    };
    rows.extend(kinds(|numbers| &numbers.outcomes));
    rows.extend(kinds(|numbers| &numbers.operations));
    rows.push(row("cost of the requests", &|n| dollars(n.cost_usd)));
    rows.push(row("busiest second", &|n| {
        format!(
            "{} at {}",
            many(n.peak.requests, "request"),
            moment(n.peak.at_s)
        )
    }));
    let herds = runs.first().map_or(0, |run| run.numbers.herds.len());
    for at in 0..herds {
        let end = runs.first().and_then(|run| run.numbers.herds.get(at));
        let end = end.map_or(0, |herd| herd.end_s);
        let name = format!("busiest second after the fault's end at {}", moment(end));
        rows.push(row(&name, &|n| {
            n.herds.get(at).map_or_else(String::new, |herd| {
                let later = herd.peak.at_s.saturating_sub(herd.end_s);
                format!(
                    "{}, {} later",
                    many(herd.peak.requests, "request"),
                    moment(later)
                )
            })
        }));
    }
    rows.push(row("questions to policies", &|n| grouped(n.decisions)));
    rows.push(row("· without a verdict", &|n| {
        grouped(n.failed_decisions)
    }));
    rows.push(row("fuel", &|n| rounded(n.fuel)));
    rows.push(row("looks of verification", &|n| grouped(n.verifications)));
    if runs.iter().any(|run| run.numbers.ended > 0) {
        rows.push(row("agents that ended by themselves", &|n| {
            grouped(n.ended)
        }));
    }
    rows
}

use std::path::Path;

use super::report::Report;
use super::*;
use crate::config::Source;

fn fleet(scenario: &str, nodes: u32, hours: u64) -> Fleet {
    Fleet {
        nodes,
        streams: 3,
        length: Duration::from_secs(hours * 3600),
        seed: 7,
        scenario: Scenario::named(scenario).unwrap().unwrap(),
    }
}

fn settings(configuration: &str) -> Settings {
    let source = Source::new("tidegate.toml", configuration).simulated();
    Settings::from_source(&source, &|_| None).unwrap()
}

async fn play(fleet: &Fleet, configuration: &str, threads: usize) -> Counts {
    let blueprint = fleet
        .blueprint(settings(configuration), threads)
        .await
        .unwrap();
    fleet.play(&blueprint, threads, &|| {}).unwrap()
}

#[tokio::test]
async fn a_quiet_fleet_settles_in_every_layout() {
    for configuration in ["", "[staging]\nlayout = \"plain\"\n"] {
        let counts = play(&fleet("rolling-start", 5, 3), configuration, 1).await;
        assert_eq!(counts.streams, 15);
        assert_eq!((counts.unsettled, counts.unconverged), (0, 0));
        assert_eq!(counts.convergence.total(), counts.changes);
        assert!(counts.decisions >= counts.changes, "{}", counts.decisions);
        assert_eq!((counts.failed_decisions, counts.ended), (0, 0));
    }
}

#[tokio::test]
async fn schemas_that_change_until_the_end_are_all_seen_in_the_store() {
    let mut fleet = fleet("rolling-start", 2, 1);
    (fleet.streams, fleet.length) = (20, Duration::from_secs(600));
    fleet.scenario.start = scenario::Start::Together(Duration::from_secs(10));
    fleet.scenario.streams.schema_every = Some(Duration::from_secs(20));
    let counts = play(&fleet, "", 1).await;
    assert!(counts.changes > 500, "{}", counts.changes);
    assert_eq!(counts.unconverged, 0);
}

#[tokio::test]
async fn a_run_is_the_same_whatever_the_number_of_threads() {
    let mut fleet = fleet("outage", 10, 3);
    fleet.scenario.cluster = 3;
    assert_eq!(fleet.clusters(), 4);
    let told = async |fleet: &Fleet, threads| {
        let mut report = Report::new(fleet);
        for name in ["one", "other"] {
            report.add(name, &settings(""), play(fleet, "", threads).await);
        }
        (report.json().unwrap(), report.html())
    };
    let first = told(&fleet, 1).await;
    assert!(first.0.contains("\"fuel\": "));
    assert!(first == told(&fleet, 1).await, "the same run again");
    assert!(first == told(&fleet, 2).await, "on two threads");
    let counts = play(&fleet, "", 2).await;
    fleet.seed = 8;
    assert!(counts != play(&fleet, "", 2).await, "another seed");
}

#[tokio::test]
async fn an_outage_fails_requests_while_it_lasts_and_everything_settles_behind_it() {
    let fleet = fleet("outage", 20, 4);
    let counts = play(&fleet, "", 2).await;
    let failed = |at: usize| counts.seconds[Ended::Failed as usize][at];
    let (from, until) = (2 * 3600, 2 * 3600 + 600);
    assert!((from..until).map(failed).sum::<u32>() > 0);
    let elsewhere = (0..4 * 3600).filter(|at| !(from..until + 1).contains(at));
    assert_eq!(elsewhere.map(failed).sum::<u32>(), 0);
    assert_eq!((counts.unsettled, counts.unconverged), (0, 0));
    let slowest = counts.convergence.quantile(1_000_000).unwrap();
    assert!(slowest > Duration::from_secs(60), "{slowest:?}");
    let mut report = Report::new(&fleet);
    report.add("tidegate.toml", &settings(""), counts);
    let html = report.html();
    assert!(html.contains("The herd when the fault ends at 2h 10m"));
    assert!(html.contains("every request fails (unavailable)"));
}

#[tokio::test]
async fn limits_hold_for_their_time_only() {
    let mut fleet = fleet("throttling", 20, 4);
    // Everything changes at once again, when there is no limit any more.
    fleet.scenario.streams.spread = Duration::from_secs(1);
    fleet.scenario.streams.waves.push(Wave {
        at: Duration::from_secs(3 * 3600 + 600),
        over: Duration::from_secs(1),
    });
    let counts = play(&fleet, "", 2).await;
    let throttled = &counts.seconds[Ended::Throttled as usize];
    let (from, until) = (2 * 3600, 3 * 3600);
    assert!(throttled[from..until].iter().sum::<u32>() > 0);
    assert_eq!(throttled[..from].iter().sum::<u32>(), 0);
    assert_eq!(throttled[until + 1..].iter().sum::<u32>(), 0);
    assert_eq!(counts.unconverged, 0);
}

#[tokio::test]
async fn every_default_scenario_plays_to_its_end() {
    for name in Scenario::built_in() {
        let counts = play(&fleet(name, 4, 5), "", 2).await;
        assert_eq!(counts.unconverged, 0, "{name}");
        // What is merely slow fails at the node, by its timeout, and not at the store.
        let is_smooth = matches!(name, "rolling-start" | "slow-prefix");
        assert!(counts.failed() > 0 || is_smooth, "{name}");
    }
}

#[tokio::test]
async fn a_report_asks_for_nothing_and_shows_names_as_they_are() {
    let mut fleet = fleet("rolling-start", 2, 1);
    fleet.scenario.about = "<script>alert(1)</script>".to_owned();
    let counts = play(&fleet, "", 1).await;
    let mut report = Report::new(&fleet);
    report.add("<b>&\".toml", &settings(""), counts);
    let html = report.html();
    assert!(html.contains("&lt;b&gt;&amp;&quot;.toml"));
    for never in [
        "<script", "<b>&", "src=", "href=", "url(", "@import", "<link",
    ] {
        assert!(!html.contains(never), "{never}");
    }
}

fn refused(text: &str) -> String {
    let read = Scenario::read("x", Path::new("x.toml"), text);
    let error = read.unwrap_err().to_string();
    error.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn what_is_wrong_with_a_scenario_is_told_with_its_place() {
    let with = |text: &str| refused(&format!("about = \"x\"\n{text}"));
    assert_eq!(
        with("[stream]\n"),
        "x.toml:2:2: unknown key `stream`; did you mean `streams`?"
    );
    assert_eq!(
        with("[[store.faults]]\nfrom = \"2h\"\nuntil = \"1h\"\neffect = \"hang\"\n"),
        "x.toml:4:9: ends before it begins: nothing would ever happen"
    );
    assert_eq!(
        with("[[store.faults]]\nprobability = 2.0\neffect = \"hang\"\n"),
        "x.toml:3:15: a probability lies between 0 and 1"
    );
    assert!(with("[[store.faults]]\neffect = \"slow\"\n").contains("needs `latency`"));
    assert!(
        with("[[store.faults]]\neffect = \"hang\"\nby = \"1s\"\n").contains("4:6: means nothing")
    );
    assert!(with("[start]\nhow = \"rolling\"\n").contains("needs `over`"));
    assert!(with("cluster = 100000\n").contains("1000 are the most"));
    assert!(with("[streams]\nschema_every = \"1s\"\n").contains("without end"));
    let limited = |from, until| {
        format!(
            "[[store.limited]]\nfrom = \"{from}\"\nuntil = \"{until}\"\nwrites = 1\nreads = 1\n"
        )
    };
    assert!(with(&(limited("1h", "3h") + &limited("2h", "4h"))).contains("overlap"));
}

#[test]
fn what_would_never_happen_is_refused() {
    let outage = Scenario::named("outage").unwrap().unwrap();
    outage.fits(Duration::from_secs(3 * 3600)).unwrap();
    let hour = Duration::from_secs(3600);
    let error = outage.fits(hour).unwrap_err().to_string();
    let over = "begins when the simulated 1h are over";
    assert!(error.contains(over), "{error}");
    for late in [
        "[start]\nhow = \"rolling\"\nover = \"2h\"\n",
        "[streams]\nwaves = [{ at = \"2h\", over = \"1m\" }]\n",
        "[[store.limited]]\nfrom = \"2h\"\nuntil = \"3h\"\nwrites = 1\nreads = 1\n",
        "[[store.faults]]\nfrom = \"2h\"\neffect = \"hang\"\n",
    ] {
        let text = format!("about = \"x\"\n{late}");
        let scenario = Scenario::read("x", Path::new("x.toml"), &text).unwrap();
        let error = scenario.fits(hour).unwrap_err().to_string();
        assert!(error.contains(over), "{late}: {error}");
        scenario.fits(4 * hour).unwrap();
    }
}

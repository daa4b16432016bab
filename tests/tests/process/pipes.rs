//! Readers that go away, as `head` does when it has seen enough.

use std::fs::{self, OpenOptions};
use std::process::{Output, Stdio};

use anyhow::{Result, ensure};
use tidegate_tests::command::command;
use tidegate_tests::place::Place;

use crate::{INTERNAL, SETTLED, USAGE, ended, staged};

/// The write end of a pipe without a reader.
fn closed() -> Result<Stdio> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    Ok(writer.into())
}

fn run(place: &Place, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Result<Output> {
    let mut command = command()?;
    command.args(arguments).current_dir(place.dir());
    let process = command
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()?;
    Ok(process.wait_with_output()?)
}

const COMMANDS: [&[&str]; 21] = [
    &["--help"],
    &["--version"],
    &["status"],
    &["status", "--json"],
    &["explain", "app"],
    &["explain", "app", "--json"],
    &["verify"],
    &["verify", "--json"],
    &["check"],
    &["check", "--json"],
    &["sync"],
    &["sync", "--dry-run"],
    &["version"],
    &["version", "--json"],
    &["simulate", "--nodes", "2", "--streams", "1", "--hours", "2"],
    &["policy", "schema"],
    &["policy", "inspect", "builtin:presence"],
    &["policy", "inspect", "builtin:presence", "--json"],
    &["policy", "test", "scenarios"],
    &["policy", "test", "scenarios", "--json"],
    &["policy", "explore", "--seeds", "1"],
];

/// A scenario that fails, so that a lot is printed.
const SCENARIO: &str = "title = \"x\"\nuntil = \"1m\"\n[[timeline]]\nat = \"0s\"\ndo = \"stage\"\nstream = \"a\"\n\
                        fields = { a = \"Utf8\" }\n[[expect]]\nstream = \"a\"\nphase = \"gone\"\n";

#[test]
fn every_command_ends_silently_when_nobody_reads_what_it_prints() -> Result<()> {
    let place = staged(&["app"])?;
    std::fs::create_dir(place.path("scenarios"))?;
    std::fs::write(place.path("scenarios/one.toml"), SCENARIO)?;
    ended(&place.run(&["sync"])?, SETTLED)?;
    for arguments in COMMANDS {
        let read = place.run(arguments)?;
        ensure!(
            read.code.is_some_and(|code| code <= 5) && !read.stdout.is_empty(),
            "{arguments:?}: {read:#?}"
        );
        let unread = run(&place, arguments, closed()?, Stdio::piped())?;
        ensure!(
            unread.status.code() == read.code,
            "{arguments:?}: {unread:?} instead of {:?}",
            read.code
        );
        let complaints = String::from_utf8_lossy(&unread.stderr);
        ensure!(
            !complaints.contains("error") && !complaints.contains("write"),
            "{arguments:?}: {complaints}"
        );
    }
    Ok(())
}

#[test]
fn a_command_that_can_complain_to_nobody_still_ends_with_its_code() -> Result<()> {
    let place = staged(&["app"])?;
    for (arguments, code) in [
        (&["sync", "--log", "debug"] as &[&str], SETTLED),
        (&["status", "--no-such"], USAGE),
        (&["explain", "no-such"], USAGE),
        (&["policy", "build", "no-such"], USAGE),
    ] {
        let ran = run(&place, arguments, closed()?, closed()?)?;
        ensure!(ran.status.code() == Some(code), "{arguments:?}: {ran:?}");
    }
    Ok(())
}

#[test]
fn an_agent_whose_log_nobody_reads_any_more_ends() -> Result<()> {
    let place = staged(&["app"])?;
    let ran = run(&place, &["run"], Stdio::null(), closed()?)?;
    ensure!(ran.status.code() == Some(INTERNAL), "{ran:?}");
    Ok(())
}

#[test]
fn output_that_is_lost_on_a_full_disk_is_an_error() -> Result<()> {
    let place = staged(&["app"])?;
    ended(&place.run(&["sync"])?, SETTLED)?;
    let full = OpenOptions::new().write(true).open("/dev/full")?;
    for argument in ["status", "--help", "--version"] {
        let ran = run(
            &place,
            &[argument],
            full.try_clone()?.into(),
            Stdio::piped(),
        )?;
        let complaint = String::from_utf8_lossy(&ran.stderr);
        ensure!(
            ran.status.code() == Some(INTERNAL) && complaint.contains("can't write the output"),
            "{argument}: {ran:?}"
        );
    }
    Ok(())
}

#[test]
fn a_report_goes_through_a_link_and_does_not_replace_it() -> Result<()> {
    let place = staged(&[])?;
    let scenario = "title = \"t\"\nuntil = \"1m\"\nconfig.staging.layout = \"plain\"\n";
    fs::write(place.path("s.toml"), scenario)?;
    fs::write(place.path("target.xml"), "old")?;
    std::os::unix::fs::symlink(place.path("target.xml"), place.path("link.xml"))?;
    for arguments in [
        &["policy", "test", "s.toml", "--junit", "link.xml"][..],
        &[
            "simulate",
            "--nodes",
            "1",
            "--streams",
            "1",
            "--hours",
            "3",
            "--report",
            "link.xml",
        ],
    ] {
        let ran = place.run(arguments)?;
        ensure!(ran.code == Some(SETTLED), "{ran:#?}");
        ensure!(fs::symlink_metadata(place.path("link.xml"))?.is_symlink());
        ensure!(fs::read_to_string(place.path("target.xml"))? != "old");
        fs::write(place.path("target.xml"), "old")?;
    }
    Ok(())
}

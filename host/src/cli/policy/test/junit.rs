//! The report that CI systems read, <https://github.com/testmoapp/junitxml>.

use std::path::{Path, PathBuf};

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::super::super::CommandError;
use super::super::super::output::Paint;
use super::super::whole;
use super::show::{described, failed_calls};
use crate::sandbox::scenario::Report;

/// Writes the report, a file as a whole or not at all.
pub(super) fn write(file: &Path, reports: &[(PathBuf, Report)]) -> Result<(), CommandError> {
    let text = junit(reports).to_string().map_err(anyhow::Error::new)?;
    whole::write(file, text.as_bytes())
}

fn junit(reports: &[(PathBuf, Report)]) -> Junit {
    let mut suite = TestSuite::new("scenarios");
    for (path, report) in reports {
        let file = path.display().to_string();
        let status = match report.passed() {
            true => TestCaseStatus::success(),
            false => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                let mut text: String = report
                    .failures
                    .iter()
                    .map(|failure| described(failure, &file, Paint::plain()))
                    .collect();
                text.extend(report.hidden_state.iter().map(String::as_str));
                text.push_str(&failed_calls(report, Paint::plain()));
                let message = report
                    .failures
                    .first()
                    .map(|failure| format!("expected {}, but {}", failure.expected, failure.came));
                if let Some(message) = message {
                    status.set_message(message);
                }
                status.set_description(text);
                status
            }
        };
        let mut case = TestCase::new(&report.name, status);
        case.set_classname(file);
        if report.passed() && !report.notable_calls().is_empty() {
            case.set_system_out(failed_calls(report, Paint::plain()));
        }
        suite.add_test_case(case);
    }
    let mut junit = Junit::new("tidegate policy test");
    junit.add_test_suite(suite);
    junit
}

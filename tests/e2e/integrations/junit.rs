//! junit.xml of a real run, read by other programs.

use std::process::Command;

use serde_json::Value;

use super::a_run;
use crate::harness::{root, stderr};
use crate::skip::skip_without_tool;

#[test]
fn a_validator_accepts_the_file_of_a_real_run() {
    let schema = root().join("fixtures/junit/junit.xsd");
    let mut validator = Command::new("xmllint");
    validator.args(["--noout", "--nonet", "--schema"]).arg(schema);
    let Ok(run) = validator.arg(a_run().join("junit.xml")).output() else {
        return skip_without_tool("`xmllint` is not installed (Debian's package libxml2-utils has it)");
    };
    assert!(run.status.success(), "{}", stderr(&run));
}

#[test]
fn another_reader_sees_a_case_for_each_limit_with_its_outcome() {
    // Read by Python's junitparser, as a CI would
    let program = "import json, sys
from junitparser import JUnitXml
read = JUnitXml.fromfile(sys.argv[1])
cases = [dict(name=c.name, suite=s.name, bad=[r.message for r in c.result]) for s in read for c in s]
json.dump(dict(tests=read.tests, failures=read.failures, errors=read.errors, cases=cases), sys.stdout)";
    let run = Command::new("python3")
        .args(["-c", program])
        .arg(a_run().join("junit.xml"))
        .output();
    let read: Option<Value> = run.ok().and_then(|o| serde_json::from_slice(&o.stdout).ok());
    let Some(read) = read else {
        return skip_without_tool("Python's package `junitparser` is not installed, or cannot read it");
    };
    let result: Value =
        serde_json::from_slice(&std::fs::read(a_run().join("result.json")).expect("a result")).expect("JSON");
    let limits = result["limits"].as_array().expect("limits");
    let cases = read["cases"].as_array().expect("cases");
    for limit in limits {
        let name = format!("{}: {}", limit["metric"], limit["rule"]).replace('"', "");
        let case = cases.iter().find(|c| c["name"].as_str() == Some(&name));
        let case = case.unwrap_or_else(|| panic!("{name}: {read}"));
        let bad = case["bad"].as_array().expect("outcomes");
        assert_eq!(bad.is_empty(), limit["outcome"] == "pass", "{name}: {case}");
        assert_eq!(case["suite"], "short");
    }
    let not_green = cases.iter().filter(|c| c["bad"] != serde_json::json!([])).count();
    let counted = read["failures"]
        .as_u64()
        .zip(read["errors"].as_u64())
        .map(|(f, e)| f + e);
    assert_eq!(
        (read["tests"].as_u64(), counted),
        (Some(cases.len() as u64), Some(not_green as u64))
    );
}

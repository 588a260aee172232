# Conveniences; `cargo run` and `cargo test` do everything without them.

# what CI runs
check: test lint smoke

# the tests; those that need Docker are skipped out loud where none answers
test:
    cargo test --workspace

# format, lints and house rules
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# the main job, short
smoke:
    cargo run --release -- run scenarios/smoke.toml

# the main job
run:
    cargo run --release -- run scenarios/55-containers.toml

# the scenario schema from the types
schema:
    cargo run --quiet -- schema > schema/scenario.schema.json

# the judge's error rates on generated traces (minutes)
judge-quality:
    cargo run --release -p leakcheck-judge --example judge_quality -- --write docs/judge-quality.md

# licences and sources of the dependencies (needs cargo-deny)
deny:
    cargo deny --offline check bans licenses sources

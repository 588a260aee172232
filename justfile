# Shortcuts; `cargo run` and `cargo test` do everything without them.

# the quick tests, lints and a short run
check: test lint smoke

# the quick tests
test:
    cargo test

# all tests; those that need Docker or a tool are skipped with a message without it
test-all:
    cargo test --workspace

# format, lints and documentation
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# a run of one minute
smoke:
    cargo run --release -- run scenarios/smoke.toml

# the main job
run:
    cargo run --release -- run scenarios/55-containers.toml

# the scenario schema from the types
schema:
    cargo run --quiet -- schema > schema/scenario.schema.json

# docs/judge-quality.md: error rates on generated traces. Twenty parts, one per CPU at a time; continues where it stopped.
# About an hour of one core. A tenth of it: `just quality="--traces 100 --key-traces 1000 --minutes 3,10,30,60 --seed 1" judge-quality`
judge-quality:
    cargo build --release -p leakcheck-judge --example judge_quality
    seq 20 | xargs -P "$(nproc)" -I PART nice -n 10 target/release/examples/judge_quality {{quality}} --shard PART/20 --state target/judge-quality.PART.tsv > /dev/null
    target/release/examples/judge_quality {{quality}} --merge "$(echo target/judge-quality.*.tsv | tr ' ' ',')" --write docs/judge-quality.md

quality := "--traces 1000 --key-traces 10000 --watched 100 --minutes 3,10,30,60 --seed 20261127"

# mutants of the judge (needs cargo-mutants, two hours); `just mutants posterior blocks` only of these files
mutants *files:
    nice -n 19 cargo mutants -j 1 --no-shuffle -p leakcheck-judge -o target {{ prepend("-f crates/judge/src/", append(".rs", files)) }}

# docs/benchmarks.md: leakcheck beside its peers (25 minutes on an idle machine)
bench:
    bench/run

# the same with fewer rounds (5 minutes), not for quoting
bench-quick:
    bench/run --quick

# leakcheck judges leakcheck: harness, proxy, engine, capture daemon
self:
    cargo run --release -- run scenarios/self.toml

# licences and sources of the dependencies (needs cargo-deny)
deny:
    cargo deny --offline check bans licenses sources

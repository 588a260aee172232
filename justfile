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

# the judge's error rates on generated traces, in twenty parts, as many at once as there are processors; goes on where it was
# ended. About an hour of a core; `quality="--traces 100 --key-traces 1000 …"` is a tenth of it
judge-quality:
    cargo build --release -p leakcheck-judge --example judge_quality
    seq 20 | xargs -P "$(nproc)" -I PART nice -n 10 target/release/examples/judge_quality {{quality}} --shard PART/20 --state target/judge-quality.PART.tsv > /dev/null
    target/release/examples/judge_quality {{quality}} --merge "$(echo target/judge-quality.*.tsv | tr ' ' ',')" --write docs/judge-quality.md

quality := "--traces 1000 --key-traces 10000 --watched 100 --minutes 3,10,30,60 --seed 20261127"

# mutants of the judge and whether its quick tests notice (needs cargo-mutants; three seconds for each of 2,882 on a quiet machine): docs/mutants.md;
# `just mutants rises belief` only of those files
mutants *files:
    nice -n 19 cargo mutants -j 1 --no-shuffle -p leakcheck-judge -o target {{ prepend("-f crates/judge/src/", append(".rs", files)) }}

# leakcheck beside what one would use instead: docs/benchmarks.md (25 minutes on a quiet machine)
bench:
    bench/run

# the same with fewer rounds (5 minutes): figures to look at
bench-quick:
    bench/run --quick

# leakcheck watches leakcheck: harness, proxy, engine, capture core
self:
    cargo run --release -- run scenarios/self.toml

# licences and sources of the dependencies (needs cargo-deny)
deny:
    cargo deny --offline check bans licenses sources

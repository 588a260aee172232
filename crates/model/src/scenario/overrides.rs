//! `--set KEY=VALUE`: values that replace those of the scenario file.

/// An invalid `--set`.
#[derive(Debug, thiserror::Error)]
pub enum OverrideError {
    /// The `=` is missing.
    #[error("`--set {0}`: write --set KEY=VALUE, for example --set schedule.measure=2m")]
    Shape(String),
    /// The file is not TOML.
    #[error("the scenario is not TOML: {0}")]
    Toml(String),
    /// A part of the key is not a table.
    #[error("`--set {key}`: there is no `{step}` to set a key of{hint}")]
    NoSuchTable {
        /// The whole key.
        key: String,
        /// The part that is not a table.
        step: String,
        /// The existing names.
        hint: String,
    },
}

/// Sets keys in the text of a scenario: `schedule.measure=2m`, `load.noisy.containers=5` (a group by its name),
/// `fault.0.for=5s`. Values are read as TOML where they are TOML, as text otherwise.
///
/// # Errors
/// [`OverrideError`], which names the key.
pub fn override_keys<S: AsRef<str>>(text: &str, sets: &[S]) -> Result<String, OverrideError> {
    if sets.is_empty() {
        return Ok(text.to_owned());
    }
    let mut document: toml::Table = text
        .parse()
        .map_err(|e: toml::de::Error| OverrideError::Toml(e.message().to_owned()))?;
    for set in sets {
        let set = set.as_ref();
        let (key, value) = set
            .split_once('=')
            .ok_or_else(|| OverrideError::Shape(set.to_owned()))?;
        let value = value.trim();
        let parsed = format!("v = {value}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut t| t.remove("v"));
        put(
            &mut document,
            key.trim(),
            parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())),
        )?;
    }
    Ok(toml::to_string(&document).unwrap_or_else(|_| document.to_string()))
}

fn put(document: &mut toml::Table, key: &str, value: toml::Value) -> Result<(), OverrideError> {
    let mut steps = key.split('.').peekable();
    let mut at = document;
    while let Some(step) = steps.next() {
        if steps.peek().is_none() {
            at.insert(step.to_owned(), value);
            return Ok(());
        }
        let next = at
            .entry(step.to_owned())
            .or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = match next {
            toml::Value::Table(table) => table,
            toml::Value::Array(array) => {
                let member = steps.next().unwrap_or_default();
                let names: Vec<String> = array
                    .iter()
                    .filter_map(|v| v.get("name")?.as_str().map(str::to_owned))
                    .collect();
                let index = member.parse().ok().or_else(|| names.iter().position(|n| n == member));
                let found = index
                    .and_then(|i: usize| array.get_mut(i))
                    .and_then(toml::Value::as_table_mut);
                found.ok_or_else(|| OverrideError::NoSuchTable {
                    key: key.to_owned(),
                    step: format!("{step}.{member}"),
                    hint: if names.is_empty() {
                        String::new()
                    } else {
                        format!("; there are {}", names.join(", "))
                    },
                })?
            }
            _ => {
                return Err(OverrideError::NoSuchTable {
                    key: key.to_owned(),
                    step: step.to_owned(),
                    hint: "; it is a plain value".into(),
                });
            }
        };
    }
    Ok(())
}

//! The `filters` parameter: names with their accepted values.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::clock::Nanos;
use crate::error::ApiError;
use crate::query::Query;
use crate::time_param;

/// Decoded filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filters(BTreeMap<String, Vec<String>>);

impl Filters {
    /// Reads `{"label": ["a=b"]}` and the older `{"label": {"a=b": true}}`.
    ///
    /// # Errors
    /// 500 with Go's message for invalid JSON; 400 for a name outside `known`, unless `known` is empty.
    pub(crate) fn parse(query: &Query, known: &[&str]) -> Result<Self, ApiError> {
        let text = query.text("filters");
        if text.is_empty() {
            return Ok(Self::default());
        }
        let values: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|error| json_error(text, &error))?;
        let mut filters = BTreeMap::new();
        for (name, value) in values {
            if !known.is_empty() && !known.contains(&name.as_str()) {
                return Err(ApiError::bad(format_args!("Invalid filter '{name}'")));
            }
            let words = match value {
                Value::Array(words) => words
                    .iter()
                    .filter_map(|word| word.as_str().map(str::to_owned))
                    .collect(),
                Value::Object(words) => words.into_iter().map(|(word, _)| word).collect(),
                _ => return Err(ApiError::internal("filters must be lists of strings")),
            };
            filters.insert(name, words);
        }
        Ok(Self(filters))
    }

    /// Returns the values of a name.
    pub(crate) fn values(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        !self.values(name).is_empty()
    }

    /// Returns true if the filter has no value, or one that satisfies `test`.
    pub(crate) fn any(&self, name: &str, test: impl FnMut(&str) -> bool) -> bool {
        let values = self.values(name);
        values.is_empty() || values.iter().map(String::as_str).any(test)
    }

    /// Returns the time of the `until` filter.
    ///
    /// # Errors
    /// 500, as Docker, if it is given twice or is no time.
    pub(crate) fn until(&self, now: Nanos) -> Result<Option<Nanos>, ApiError> {
        match self.values("until") {
            [] => Ok(None),
            [one] => time_param::read(one, now)
                .map(Some)
                .ok_or_else(|| ApiError::internal(format_args!("failed to parse value as time or duration: {one:?}"))),
            _ => Err(ApiError::internal("more than one until filter specified")),
        }
    }

    /// Returns true if the labels match all `label` filters and no `label!` filter, each `key` or `key=value`.
    pub(crate) fn labels(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |wanted: &String| match wanted.split_once('=') {
            Some((key, value)) => labels.get(key).is_some_and(|v| v == value),
            None => labels.contains_key(wanted),
        };
        self.values("label").iter().all(has) && !self.values("label!").iter().any(has)
    }
}

/// Returns the error of Go's JSON decoder for an invalid text.
pub(crate) fn json_error(text: &str, error: &serde_json::Error) -> ApiError {
    let first = text.trim_start().chars().next();
    match first {
        None => ApiError::internal("EOF"),
        Some(first) if !matches!(first, '{' | '[' | '"' | 't' | 'f' | 'n' | '0'..='9' | '-') => ApiError::internal(
            format_args!("invalid character '{first}' looking for beginning of value"),
        ),
        Some(_) => ApiError::internal(format_args!("invalid JSON: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(text: &str) -> Result<Filters, ApiError> {
        Filters::parse(&Query::parse(&format!("filters={text}")), &["label", "name"])
    }

    #[test]
    fn both_shapes_of_filters_are_read() {
        let new = filters("{\"label\":[\"a=b\"]}").expect("the new shape");
        let old = filters("{\"label\":{\"a=b\":true}}").expect("the old shape");
        assert_eq!(new, old);
        assert!(new.labels(&BTreeMap::from([("a".into(), "b".into())])));
        assert!(!new.labels(&BTreeMap::from([("a".into(), "c".into())])));
    }

    #[test]
    fn an_unknown_filter_is_refused_in_dockers_words() {
        assert_eq!(filters("{\"foo\":[\"x\"]}"), Err(ApiError::bad("Invalid filter 'foo'")));
        assert_eq!(
            filters("zzz"),
            Err(ApiError::internal(
                "invalid character 'z' looking for beginning of value"
            ))
        );
    }
}

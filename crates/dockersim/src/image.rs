//! Images of simulated containers: names and configuration. Layers are read and discarded.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::clock::{self, Nanos};
use crate::error::ApiError;

/// An image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    /// `sha256:` and 64 hexadecimal digits.
    pub(crate) id: String,
    /// Id of its only layer, in the same form.
    pub(crate) layer: String,
    /// `name:tag`, any number of them.
    pub(crate) tags: Vec<String>,
    pub(crate) created: Nanos,
    pub(crate) size: u64,
    pub(crate) comment: String,
    pub(crate) entrypoint: Option<Vec<String>>,
    pub(crate) cmd: Option<Vec<String>>,
    pub(crate) env: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
}

/// The images, by id.
#[derive(Debug, Default)]
pub(crate) struct Images(BTreeMap<String, Image>);

impl Images {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Image> {
        self.0.values()
    }

    /// Finds an image by name (default tag: `latest`) or by a prefix of its id.
    pub(crate) fn find(&self, name: &str) -> Option<&Image> {
        let tagged = with_tag(name);
        let by_tag = self.0.values().find(|image| image.tags.contains(&tagged));
        by_tag.or_else(|| {
            let digits = name.strip_prefix("sha256:").unwrap_or(name);
            let is_id = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
            self.0
                .values()
                .find(|image| is_id && image.id["sha256:".len()..].starts_with(digits))
        })
    }

    /// Adds an image. Its tags are removed from other images.
    pub(crate) fn insert(&mut self, image: Image) {
        for tag in &image.tags {
            self.untag(tag);
        }
        self.0.insert(image.id.clone(), image);
    }

    /// Adds a tag to an image, and removes it from others.
    pub(crate) fn tag(&mut self, id: &str, tag: &str) {
        self.untag(tag);
        if let Some(image) = self.0.get_mut(id) {
            image.tags.push(tag.to_owned());
        }
    }

    pub(crate) fn untag(&mut self, tag: &str) {
        for image in self.0.values_mut() {
            image.tags.retain(|t| t != tag);
        }
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.0.remove(id);
    }
}

/// Adds `:latest` to a name without a tag. A colon in the registry's address is no tag.
pub(crate) fn with_tag(name: &str) -> String {
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    if last.contains(':') || last.contains('@') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

impl Image {
    /// Applies a Dockerfile instruction of `docker import --change`.
    pub(crate) fn apply_change(&mut self, line: &str) -> Result<(), ApiError> {
        let (word, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match word.to_ascii_uppercase().as_str() {
            "ENTRYPOINT" => self.entrypoint = Some(words_of(rest)),
            "CMD" => self.cmd = Some(words_of(rest)),
            "ENV" => self
                .env
                .extend(pairs_of(rest).map(|(key, value)| format!("{key}={value}"))),
            "LABEL" => self.labels.extend(pairs_of(rest)),
            "USER" | "WORKDIR" | "EXPOSE" | "VOLUME" | "ONBUILD" | "STOPSIGNAL" | "HEALTHCHECK" => {}
            _ => return Err(ApiError::bad(format_args!("{word} is not a valid change command"))),
        }
        Ok(())
    }

    /// Returns an entry of `/images/json`.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "Containers": -1, "Created": self.created / 1_000_000_000, "Id": self.id,
            "Labels": if self.labels.is_empty() { Value::Null } else { json!(self.labels) },
            "ParentId": "", "RepoDigests": null,
            "RepoTags": if self.tags.is_empty() { json!(["<none>:<none>"]) } else { json!(self.tags) },
            "SharedSize": -1, "Size": self.size, "VirtualSize": self.size,
        })
    }

    /// Returns the body of `/images/{name}/json`.
    pub(crate) fn inspect(&self) -> Value {
        let empty = Self::default();
        json!({
            "Id": self.id, "RepoTags": self.tags, "RepoDigests": [], "Parent": "", "Comment": self.comment,
            "Created": clock::rfc3339(self.created), "Container": "", "ContainerConfig": empty.config(),
            "DockerVersion": crate::VERSION, "Author": "", "Config": self.config(), "Architecture": "amd64", "Os": "linux",
            "Size": self.size, "VirtualSize": self.size, "GraphDriver": { "Data": null, "Name": "simulated" },
            "RootFS": { "Type": "layers", "Layers": [self.layer] },
            "Metadata": { "LastTagTime": clock::rfc3339(self.created) },
        })
    }

    fn config(&self) -> Value {
        json!({
            "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false,
            "AttachStderr": false, "Tty": false, "OpenStdin": false, "StdinOnce": false,
            "Env": if self.env.is_empty() { Value::Null } else { json!(self.env) },
            "Cmd": self.cmd, "Image": "", "Volumes": null, "WorkingDir": "", "Entrypoint": self.entrypoint,
            "OnBuild": null, "Labels": if self.labels.is_empty() { Value::Null } else { json!(self.labels) },
        })
    }
}

/// Parses a JSON list such as `["a", "b"]`; any other text becomes a shell command.
fn words_of(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| vec!["/bin/sh".into(), "-c".into(), text.to_owned()])
}

/// Parses pairs: `a=b "c d"=e`, or the older form `a b`.
fn pairs_of(text: &str) -> impl Iterator<Item = (String, String)> {
    let mut pairs = Vec::new();
    if !text.split(char::is_whitespace).next().unwrap_or_default().contains('=') {
        let (key, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        pairs.push((key.to_owned(), value.trim().to_owned()));
        return pairs.into_iter();
    }
    let (mut word, mut quote) = (String::new(), None);
    for letter in text.chars().chain([' ']) {
        match (letter, quote) {
            (l, Some(q)) if l == q => quote = None,
            ('"' | '\'', None) => quote = Some(letter),
            (l, None) if l.is_whitespace() => {
                if let Some((key, value)) = word.split_once('=') {
                    pairs.push((key.to_owned(), value.to_owned()));
                }
                word.clear();
            }
            (l, _) => word.push(l),
        }
    }
    pairs.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_an_import_are_read_as_a_dockerfile() {
        let mut image = Image::default();
        for line in [
            "ENTRYPOINT [\"/leakcheck\"]",
            "LABEL leakcheck=1 a=\"b c\"",
            "ENV PATH /bin",
            "cmd echo hi",
            "USER 1",
        ] {
            image.apply_change(line).expect(line);
        }
        assert_eq!(image.entrypoint, Some(vec!["/leakcheck".to_owned()]));
        assert_eq!(image.cmd, Some(vec!["/bin/sh".into(), "-c".into(), "echo hi".into()]));
        assert_eq!(
            image.labels,
            BTreeMap::from([("a".into(), "b c".into()), ("leakcheck".into(), "1".into())])
        );
        assert_eq!(image.env, ["PATH=/bin"]);
        assert!(image.apply_change("FROM x").is_err());
    }

    #[test]
    fn an_image_is_found_by_name_with_and_without_tag_and_by_id() {
        let mut images = Images::default();
        images.insert(Image {
            id: format!("sha256:{}", "ab".repeat(32)),
            tags: vec!["a:latest".into()],
            ..Image::default()
        });
        for name in ["a", "a:latest", "docker.io/library/a", "sha256:abab", "abab"] {
            assert!(images.find(name).is_some(), "{name}");
        }
        assert!(images.find("a:old").is_none() && images.find("").is_none());
        assert_eq!(with_tag("localhost:5000/x"), "localhost:5000/x:latest");
    }
}

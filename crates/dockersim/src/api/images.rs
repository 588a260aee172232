//! `/images/…`

use std::collections::BTreeMap;

use serde_json::json;

use super::request::Request;
use crate::clock;
use crate::engine::Engine;
use crate::error::ApiError;
use crate::filter::Filters;
use crate::http::{Content, Head, Reply};
use crate::image::{Image, with_tag};

pub(super) fn list(engine: &Engine, head: &Head) -> Result<Reply, ApiError> {
    let filters = Filters::parse(&head.query, &["before", "dangling", "label", "reference", "since"])?;
    let images = engine.images();
    let created_at = |name: &str| -> Result<Option<clock::Nanos>, ApiError> {
        let Some(key) = filters.values(name).first() else {
            return Ok(None);
        };
        let found = images.find(key).map(|image| Some(image.created));
        found.ok_or_else(|| ApiError::not_found(format_args!("No such image: {}", with_tag(key))))
    };
    let (before, since) = (created_at("before")?, created_at("since")?);
    let wanted = images.all().filter(|image| {
        let named = |name: &str| {
            image
                .tags
                .iter()
                .any(|tag| glob(name, tag) || tag.rsplit_once(':').is_some_and(|(bare, _)| glob(name, bare)))
        };
        filters.labels(&image.labels)
            && before.is_none_or(|before| image.created < before)
            && since.is_none_or(|since| image.created > since)
            && filters.any("reference", named)
            && filters.any("dangling", |wanted| {
                matches!(wanted, "1" | "true") == image.tags.is_empty()
            })
    });
    Ok(Reply::json(200, &wanted.map(Image::summary).collect::<Vec<_>>()))
}

/// Returns true if a text matches a pattern with `*` and `?`; a `*` stops at a slash (Go, `path.Match`).
fn glob(pattern: &str, text: &str) -> bool {
    match (pattern.chars().next(), text.chars().next()) {
        (None, first) => first.is_none(),
        (Some('*'), first) => {
            glob(&pattern[1..], text)
                || first.is_some_and(|first| first != '/' && glob(pattern, &text[first.len_utf8()..]))
        }
        (Some(wanted), Some(first)) => {
            let same = wanted == first || (wanted == '?' && first != '/');
            same && glob(&pattern[wanted.len_utf8()..], &text[first.len_utf8()..])
        }
        (Some(_), None) => false,
    }
}

/// Creates an image by import, with the body as its layer, or by a pull without a registry.
pub(super) fn create(engine: &Engine, request: &Request<'_>) -> Result<Reply, ApiError> {
    let query = &request.head.query;
    let (source, from) = (query.text("fromSrc"), query.text("fromImage"));
    if source.is_empty() == from.is_empty() {
        return Err(ApiError::bad("one of fromImage and fromSrc is needed"));
    }
    let (name, tag) = if from.is_empty() {
        (query.text("repo"), query.text("tag"))
    } else {
        (from, query.text("tag"))
    };
    let name = match (name, tag) {
        ("", _) => None,
        (name, "") => Some(with_tag(name)),
        (name, tag) => Some(format!("{}:{tag}", with_tag(name).trim_end_matches(":latest"))),
    };
    if let Some(known) = name
        .as_ref()
        .filter(|_| !from.is_empty())
        .filter(|name| engine.images().find(name).is_some())
    {
        return Ok(progress(&[format!("Status: Image is up to date for {known}")]));
    }
    let mut image = Image {
        id: format!("sha256:{}", engine.ids.next()),
        layer: format!("sha256:{}", engine.ids.next()),
        tags: name.iter().cloned().collect(),
        created: clock::now(),
        size: request.length,
        comment: if from.is_empty() {
            format!("Imported from {source}")
        } else {
            "simulated".into()
        },
        ..Image::default()
    };
    if !from.is_empty() {
        // The command of a pulled image is not known; this one runs until it is stopped.
        image.cmd = Some(vec!["simulated".into()]);
    }
    for change in query.all("changes").flat_map(str::lines) {
        image.apply_change(change)?;
    }
    let id = image.id.clone();
    engine.images().insert(image.clone());
    if let Some(name) = &name {
        announce(engine, &image, if from.is_empty() { "tag" } else { "pull" }, name);
    }
    if !from.is_empty() {
        let name = name.unwrap_or_default();
        return Ok(progress(&[
            format!("Pulling from {from}"),
            format!("Status: Downloaded newer image for {name}"),
        ]));
    }
    announce(engine, &image, "import", &id);
    Ok(progress(&[id]))
}

fn announce(engine: &Engine, image: &Image, action: &str, name: &str) {
    let mut attributes: BTreeMap<_, _> = image.labels.clone();
    attributes.insert("name".into(), name.to_owned());
    engine.events.announce("image", action, &image.id, attributes);
}

/// Returns a response with progress lines in Docker's format.
fn progress(lines: &[String]) -> Reply {
    let lines = lines.iter().map(|line| format!("{}\r\n", json!({ "status": line })));
    Reply {
        status: 200,
        content: Content::Json(lines.collect::<String>().into_bytes()),
        headers: "",
    }
}

fn find(engine: &Engine, name: &str) -> Result<Image, ApiError> {
    let found = engine.images().find(name).cloned();
    found.ok_or_else(|| ApiError::not_found(format_args!("No such image: {}", with_tag(name))))
}

pub(super) fn inspect(engine: &Engine, name: &str) -> Result<Reply, ApiError> {
    let missing = |error: ApiError| ApiError::not_found(format_args!("no such image: {name}: {}", error.message));
    Ok(Reply::json(200, &find(engine, name).map_err(missing)?.inspect()))
}

pub(super) fn tag(engine: &Engine, head: &Head, name: &str) -> Result<Reply, ApiError> {
    let image = find(engine, name)?;
    let (repo, tag) = (head.query.text("repo"), head.query.text("tag"));
    if repo.is_empty() {
        return Err(ApiError::internal("repository name must have at least one component"));
    }
    let tag = if tag.is_empty() {
        with_tag(repo)
    } else {
        format!("{repo}:{tag}")
    };
    engine.images().tag(&image.id, &tag);
    announce(engine, &image, "tag", &tag);
    Ok(Reply::empty(201))
}

/// Removes a tag, and the image with its last tag.
pub(super) fn remove(engine: &Engine, head: &Head, name: &str) -> Result<Reply, ApiError> {
    let image = find(engine, name)?;
    let tag = with_tag(name);
    let by_tag = image.tags.contains(&tag);
    let last = image.tags.len() <= 1 || !by_tag;
    let user = engine
        .registry()
        .newest_first()
        .into_iter()
        .find(|c| c.config.image_id == image.id);
    if let (Some(user), true) = (&user, last) {
        let (image, container) = (&image.id["sha256:".len()..][..12], user.short_id());
        let running = user.state().is_alive();
        let why = match (by_tag, running, head.query.flag("force")) {
            (true, _, false) => format!(
                "remove repository reference \"{name}\" (must force) - container {container} is using its referenced image {image}"
            ),
            (false, true, _) => {
                format!("delete {image} (cannot be forced) - image is being used by running container {container}")
            }
            (false, false, false) => {
                format!("delete {image} (must be forced) - image is being used by stopped container {container}")
            }
            (_, _, true) => String::new(),
        };
        if !why.is_empty() {
            return Err(ApiError::conflict(format_args!("conflict: unable to {why}")));
        }
    }
    let mut images = engine.images();
    let untagged: Vec<String> = if by_tag { vec![tag] } else { image.tags.clone() };
    let mut changes: Vec<_> = untagged.iter().map(|tag| json!({ "Untagged": tag })).collect();
    untagged.iter().for_each(|tag| images.untag(tag));
    // An image stays while a container uses it.
    if last && user.is_none() {
        images.remove(&image.id);
        changes.extend([json!({ "Deleted": image.id }), json!({ "Deleted": image.layer })]);
    }
    drop(images);
    for _ in &untagged {
        announce(engine, &image, "untag", &image.id);
    }
    if last && user.is_none() {
        announce(engine, &image, "delete", &image.id);
    }
    Ok(Reply::json(200, &changes))
}

/// Removes images that no container uses: those without a name, or all with `dangling=false`.
pub(super) fn prune(engine: &Engine, head: &Head) -> Result<Reply, ApiError> {
    let filters = Filters::parse(&head.query, &["dangling", "label", "label!", "until"])?;
    let until = filters.until(clock::now())?;
    let all = filters.has("dangling") && filters.any("dangling", |value| matches!(value, "0" | "false"));
    let used: Vec<String> = engine
        .registry()
        .newest_first()
        .iter()
        .map(|c| c.config.image_id.clone())
        .collect();
    let mut images = engine.images();
    let unused: Vec<Image> = images
        .all()
        .filter(|image| (all || image.tags.is_empty()) && !used.contains(&image.id) && filters.labels(&image.labels))
        .filter(|image| until.is_none_or(|until| image.created <= until))
        .cloned()
        .collect();
    let mut changes = Vec::new();
    for image in &unused {
        images.remove(&image.id);
        changes.extend(image.tags.iter().map(|tag| json!({ "Untagged": tag })));
        changes.extend([json!({ "Deleted": image.id }), json!({ "Deleted": image.layer })]);
    }
    let reclaimed: u64 = unused.iter().map(|image| image.size).sum();
    drop(images);
    engine.announce_prune("image", reclaimed);
    let changes = if changes.is_empty() {
        json!(null)
    } else {
        json!(changes)
    };
    Ok(Reply::json(
        200,
        &json!({ "ImagesDeleted": changes, "SpaceReclaimed": reclaimed }),
    ))
}

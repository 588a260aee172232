//! The endpoints of Docker Engine 20.10 (moby, `api/server/router`). Those that are not simulated answer 501 with their
//! name; unknown paths answer 404.

/// Methods and paths. `{}` is a name, `{*}` a name that may contain slashes.
const ENDPOINTS: [(&str, &str); 110] = [
    ("GET", "_ping"),
    ("HEAD", "_ping"),
    ("GET", "version"),
    ("GET", "info"),
    ("GET", "events"),
    ("GET", "system/df"),
    ("POST", "auth"),
    ("GET", "containers/json"),
    ("POST", "containers/create"),
    ("POST", "containers/prune"),
    ("GET", "containers/{}/json"),
    ("GET", "containers/{}/logs"),
    ("GET", "containers/{}/top"),
    ("GET", "containers/{}/stats"),
    ("GET", "containers/{}/changes"),
    ("GET", "containers/{}/export"),
    ("GET", "containers/{}/archive"),
    ("HEAD", "containers/{}/archive"),
    ("PUT", "containers/{}/archive"),
    ("GET", "containers/{}/attach/ws"),
    ("POST", "containers/{}/attach"),
    ("POST", "containers/{}/copy"),
    ("POST", "containers/{}/exec"),
    ("POST", "containers/{}/kill"),
    ("POST", "containers/{}/pause"),
    ("POST", "containers/{}/unpause"),
    ("POST", "containers/{}/rename"),
    ("POST", "containers/{}/resize"),
    ("POST", "containers/{}/restart"),
    ("POST", "containers/{}/start"),
    ("POST", "containers/{}/stop"),
    ("POST", "containers/{}/update"),
    ("POST", "containers/{}/wait"),
    ("DELETE", "containers/{}"),
    ("GET", "exec/{}/json"),
    ("POST", "exec/{}/start"),
    ("POST", "exec/{}/resize"),
    ("POST", "commit"),
    ("GET", "images/json"),
    ("GET", "images/search"),
    ("GET", "images/get"),
    ("GET", "images/{*}/get"),
    ("GET", "images/{*}/history"),
    ("GET", "images/{*}/json"),
    ("POST", "images/create"),
    ("POST", "images/load"),
    ("POST", "images/prune"),
    ("POST", "images/{*}/push"),
    ("POST", "images/{*}/tag"),
    ("DELETE", "images/{*}"),
    ("GET", "distribution/{*}/json"),
    ("POST", "build"),
    ("POST", "build/prune"),
    ("POST", "build/cancel"),
    ("POST", "session"),
    ("POST", "grpc"),
    ("GET", "networks"),
    ("GET", "networks/{}"),
    ("POST", "networks/create"),
    ("POST", "networks/prune"),
    ("POST", "networks/{}/connect"),
    ("POST", "networks/{}/disconnect"),
    ("DELETE", "networks/{}"),
    ("GET", "volumes"),
    ("GET", "volumes/{}"),
    ("POST", "volumes/create"),
    ("POST", "volumes/prune"),
    ("DELETE", "volumes/{}"),
    ("GET", "plugins"),
    ("GET", "plugins/privileges"),
    ("GET", "plugins/{*}/json"),
    ("POST", "plugins/create"),
    ("POST", "plugins/pull"),
    ("POST", "plugins/{*}/enable"),
    ("POST", "plugins/{*}/disable"),
    ("POST", "plugins/{*}/push"),
    ("POST", "plugins/{*}/set"),
    ("POST", "plugins/{*}/upgrade"),
    ("DELETE", "plugins/{*}"),
    ("GET", "swarm"),
    ("GET", "swarm/unlockkey"),
    ("POST", "swarm/init"),
    ("POST", "swarm/join"),
    ("POST", "swarm/leave"),
    ("POST", "swarm/unlock"),
    ("POST", "swarm/update"),
    ("GET", "nodes"),
    ("GET", "nodes/{}"),
    ("POST", "nodes/{}/update"),
    ("DELETE", "nodes/{}"),
    ("GET", "services"),
    ("GET", "services/{}"),
    ("GET", "services/{}/logs"),
    ("POST", "services/create"),
    ("POST", "services/{}/update"),
    ("DELETE", "services/{}"),
    ("GET", "tasks"),
    ("GET", "tasks/{}"),
    ("GET", "tasks/{}/logs"),
    ("GET", "secrets"),
    ("GET", "secrets/{}"),
    ("POST", "secrets/create"),
    ("POST", "secrets/{}/update"),
    ("DELETE", "secrets/{}"),
    ("GET", "configs"),
    ("GET", "configs/{}"),
    ("POST", "configs/create"),
    ("POST", "configs/{}/update"),
    ("DELETE", "configs/{}"),
    ("OPTIONS", "{*}"),
];

/// Returns the endpoint of a request as Docker's documentation writes it, with `{id}` for a name.
pub(super) fn known(method: &str, segments: &[&str]) -> Option<String> {
    let found = ENDPOINTS
        .iter()
        .find(|(known, path)| *known == method && matches(path, segments))?;
    Some(found.1.replace("{*}", "{name}").replace("{}", "{id}"))
}

fn matches(path: &str, segments: &[&str]) -> bool {
    let wanted: Vec<&str> = path.split('/').collect();
    let same = |wanted: &[&str], found: &[&str]| {
        wanted.len() == found.len() && wanted.iter().zip(found).all(|(w, f)| *w == "{}" || w == f)
    };
    match wanted.iter().position(|part| *part == "{*}") {
        None => same(&wanted, segments),
        Some(at) => {
            let (before, after) = (&wanted[..at], &wanted[at + 1..]);
            segments.len() > before.len() + after.len()
                && same(before, &segments[..at])
                && same(after, &segments[segments.len() - after.len()..])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn an_endpoint_is_known_by_its_method_and_its_path() {
        for (method, path, expected) in [
            ("GET", "containers/abc/json", Some("containers/{id}/json")),
            ("GET", "images/a/b/c/json", Some("images/{name}/json")),
            ("POST", "containers/abc/exec", Some("containers/{id}/exec")),
            ("GET", "containers/abc/exec", None),
            ("GET", "containers/abc", None),
            ("GET", "containers/abc/json/x", None),
            ("DELETE", "_ping", None),
            ("GET", "images/json", Some("images/json")),
            ("GET", "nothing", None),
            ("GET", "", None),
        ] {
            let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
            assert_eq!(known(method, &segments).as_deref(), expected, "{method} {path}");
        }
    }
}

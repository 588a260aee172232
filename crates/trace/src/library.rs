//! Recognition of frames in runtimes and libraries. The first other frame is the user's code.

use leakcheck_model::origins::Frame;

/// Top-level packages of Go's standard library.
const GO_STANDARD: [&str; 45] = [
    "archive",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "sync",
    "syscall",
    "text",
    "time",
    "unicode",
    "vendor",
];

/// Returns true for a frame of library code. `is_go` is true for a frame of a Go executable.
pub(crate) fn is_library(frame: &Frame, is_go: bool) -> bool {
    let module = frame.module.as_deref().unwrap_or_default();
    let file = frame.file.as_deref().unwrap_or_default();
    let system = ["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"];
    if system.iter().any(|folder| module.starts_with(folder)) {
        return true;
    }
    if is_go {
        return go_standard(&frame.function);
    }
    [
        "/rustc/",
        "/rustlib/",
        "/registry/src/",
        "/library/std/src/",
        "/library/core/src/",
        "/library/alloc/src/",
    ]
    .iter()
    .any(|part| file.contains(part))
        || rust_standard(&frame.function)
        || ["_start", "__libc_start", "clone", "start_thread"]
            .iter()
            .any(|name| frame.function.starts_with(name))
}

/// Returns true for a file of Python's standard library.
pub(crate) fn is_python_library(file: &str) -> bool {
    file.starts_with("<frozen") || (file.contains("/lib/python3") && !file.contains("/tests/"))
}

fn go_standard(function: &str) -> bool {
    let package = match function.rfind('/') {
        Some(slash) => &function[..slash],
        None => function.split('.').next().unwrap_or_default(),
    };
    let first = package.split('/').next().unwrap_or_default();
    GO_STANDARD.contains(&first) || function.starts_with("testing.") || function.starts_with("type:")
}

fn rust_standard(function: &str) -> bool {
    let name = function.trim_start_matches('<');
    ["std::", "core::", "alloc::", "__rust", "rust_begin"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str, module: &str) -> Frame {
        Frame {
            function: function.to_owned(),
            file: Some(file.to_owned()),
            module: Some(module.to_owned()),
            ..Frame::default()
        }
    }

    #[test]
    fn gos_own_packages_are_library_and_the_users_are_not() {
        for (function, library) in [
            ("net/http.(*Transport).dial", true),
            ("runtime.goexit", true),
            ("main.(*Server).open", false),
            ("example.com/app/internal/net.Dial", false),
            ("vendor/golang.org/x/net/http.Get", true),
        ] {
            assert_eq!(
                is_library(&frame(function, "", "/srv/app"), true),
                library,
                "{function}"
            );
        }
    }

    #[test]
    fn rusts_own_crates_and_system_libraries_are_library() {
        assert!(is_library(
            &frame("<std::net::TcpStream>::connect", "", "/srv/app"),
            false
        ));
        assert!(is_library(
            &frame("open64", "", "/usr/lib/x86_64-linux-gnu/libc.so.6"),
            false
        ));
        assert!(is_library(
            &frame("tokio::net::x", "/cargo/registry/src/a/tokio/x.rs", "/srv/app"),
            false
        ));
        assert!(!is_library(
            &frame("app::follow", "/src/app/follow.rs", "/srv/app"),
            false
        ));
    }

    #[test]
    fn pythons_library_is_known_by_its_folder() {
        assert!(is_python_library("/usr/lib/python3.11/socket.py"));
        assert!(is_python_library("<frozen importlib._bootstrap>"));
        assert!(!is_python_library("/srv/relay.py"));
    }
}

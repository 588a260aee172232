//! Signals by the names and numbers that clients use.

/// The signal that cannot be handled.
pub(crate) const SIGKILL: u8 = 9;
/// The signal of Ctrl-C.
pub(crate) const SIGINT: u8 = 2;
/// The first signal of `docker stop`.
pub(crate) const SIGTERM: u8 = 15;

/// Parses a signal: `SIGTERM`, `TERM` or `15`.
pub(crate) fn signal_number(name: &str) -> Option<u8> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    if let Ok(number) = name.parse::<u8>() {
        return (1..=64).contains(&number).then_some(number);
    }
    let upper = name.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    let at = NAMES.iter().position(|known| *known == short)?;
    u8::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_with_and_without_sig_and_numbers() {
        for (name, number) in [
            ("SIGTERM", Some(15)),
            ("term", Some(15)),
            ("9", Some(9)),
            ("SYS", Some(31)),
            ("FOO", None),
            ("0", None),
        ] {
            assert_eq!(signal_number(name), number, "{name}");
        }
    }
}

//! `leakcheck completions` and `leakcheck man`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use leakcheck_model::suggest::{appended, did_you_mean};

use super::{Cli, Failure};
use crate::style;

/// Arguments of `leakcheck completions`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck completions bash > ~/.local/share/bash-completion/completions/leakcheck
  leakcheck completions zsh > ~/.zfunc/_leakcheck
  leakcheck completions fish > ~/.config/fish/completions/leakcheck.fish")]
pub(super) struct Arguments {
    /// Which shell
    shell: clap_complete::Shell,
}

/// Prints the completions of a shell.
///
/// # Errors
/// None.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "leakcheck", &mut out);
    style::print(&String::from_utf8_lossy(&out));
    Ok(ExitCode::SUCCESS)
}

/// Arguments of `leakcheck man`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck man --dir ~/.local/share/man/man1        then `man leakcheck`, `man leakcheck-run`
  leakcheck man run | man -l -")]
pub(super) struct ManArguments {
    /// Whose page; without it that of leakcheck itself, which names the others
    command: Option<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

/// Prints a man page, or writes all of them.
///
/// # Errors
/// If there is no such command, or the folder cannot be written.
pub(super) fn man(arguments: &ManArguments) -> Result<ExitCode, Failure> {
    // A page for `help` would say what every page says.
    let mut cli = Cli::command().disable_help_subcommand(true);
    cli.build();
    if let Some(folder) = &arguments.dir {
        return write_pages(&cli, folder);
    }
    let command = match &arguments.command {
        None => cli,
        Some(name) => of_command(&cli, name)?,
    };
    style::print(&page(command).map_err(anyhow::Error::from)?);
    Ok(ExitCode::SUCCESS)
}

/// A page whose title line is whole (the generator leaves the date out, so that what follows is read as one; no build has a
/// date of its own), and whose examples are called so.
fn page(command: clap::Command) -> std::io::Result<String> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut out = Vec::new();
    clap_mangen::Man::new(command).render(&mut out)?;
    let title = format!(
        ".TH {} 1 \"\" \"leakcheck {}\" \"leakcheck\"",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION")
    );
    // A new line round an empty one is none, and a fault to those who read closely.
    let text = String::from_utf8_lossy(&out).replace(".br\n\n.br\n", ".sp\n");
    let lines = text.lines().map(|line| match line {
        line if line.starts_with(".TH ") => title.as_str(),
        ".SH EXTRA" => ".SH EXAMPLES",
        line => line,
    });
    let whole: String = lines.flat_map(|line| [line, "\n"]).collect();
    // The section says it already.
    Ok(whole.replacen(".SH EXAMPLES\nExamples:\n", ".SH EXAMPLES\n", 1))
}

fn of_command(cli: &clap::Command, name: &str) -> Result<clap::Command, Failure> {
    let known = || cli.get_subcommands().filter(|c| !c.is_hide_set());
    let found = known().find(|c| c.get_name() == name).cloned();
    found.ok_or_else(|| {
        let hint = appended(&did_you_mean(name, known().map(clap::Command::get_name)));
        Failure::usage(format!("there is no command `{name}`{hint}"))
    })
}

fn write_pages(cli: &clap::Command, folder: &Path) -> Result<ExitCode, Failure> {
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for command in cli.get_subcommands().filter(|c| !c.is_hide_set()) {
            let file = format!("leakcheck-{}.1", command.get_name());
            std::fs::write(folder.join(file), page(command.clone())?)?;
        }
        std::fs::write(folder.join("leakcheck.1"), page(cli.clone())?)
    };
    write().map_err(|error| Failure::usage(format!("failed to write man pages into {}: {error}", folder.display())))?;
    style::say(&format!(
        "wrote leakcheck.1 and a page for each command into {}",
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}

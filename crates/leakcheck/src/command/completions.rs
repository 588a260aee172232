//! `leakcheck completions` and `leakcheck man`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use leakcheck_model::suggest::{appended, did_you_mean};

use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::style;

/// Arguments of `leakcheck completions`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck completions bash > ~/.local/share/bash-completion/completions/leakcheck
  leakcheck completions zsh > ~/.zfunc/_leakcheck
  leakcheck completions fish > ~/.config/fish/completions/leakcheck.fish")]
pub(crate) struct Arguments {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints the completions of `cli` for a shell.
///
/// # Errors
/// None.
pub(crate) fn run(arguments: &Arguments, mut cli: clap::Command) -> Result<ExitCode, Failure> {
    let mut out = Vec::new();
    clap_complete::generate(arguments.shell, &mut cli, "leakcheck", &mut out);
    style::print(&String::from_utf8_lossy(&out));
    Ok(Exit::Success.into())
}

/// Arguments of `leakcheck man`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  leakcheck man --dir ~/.local/share/man/man1        then `man leakcheck`, `man leakcheck-run`
  leakcheck man run | man -l -")]
pub(crate) struct ManArguments {
    /// The command [default: the page of leakcheck itself, which lists the commands]
    command: Option<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

/// Prints a man page of `cli`, or writes all of them.
///
/// # Errors
/// If the command does not exist, or the folder cannot be written.
pub(crate) fn man(arguments: &ManArguments, cli: clap::Command) -> Result<ExitCode, Failure> {
    let mut cli = cli.disable_help_subcommand(true);
    cli.build();
    if let Some(folder) = &arguments.dir {
        return write_pages(&cli, folder);
    }
    let command = match &arguments.command {
        None => cli,
        Some(name) => subcommand(&cli, name)?,
    };
    style::print(&page(command).map_err(anyhow::Error::from)?);
    Ok(Exit::Success.into())
}

/// Renders a page. The generator's title line lacks the date, so that the next word would be read as the date. It is replaced,
/// with an empty date for reproducible builds.
fn page(command: clap::Command) -> std::io::Result<String> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut out = Vec::new();
    clap_mangen::Man::new(command).render(&mut out)?;
    let title = format!(
        ".TH {} 1 \"\" \"leakcheck {}\" \"leakcheck\"",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION")
    );
    // mandoc warns of an empty line between two line breaks.
    let text = String::from_utf8_lossy(&out).replace(".br\n\n.br\n", ".sp\n");
    let lines = text.lines().map(|line| match line {
        line if line.starts_with(".TH ") => title.as_str(),
        ".SH EXTRA" => ".SH EXAMPLES",
        line => line,
    });
    let whole: String = lines.flat_map(|line| [line, "\n"]).collect();
    // The section's heading says it.
    Ok(whole.replacen(".SH EXAMPLES\nExamples:\n", ".SH EXAMPLES\n", 1))
}

fn subcommand(cli: &clap::Command, name: &str) -> Result<clap::Command, Failure> {
    let known = || cli.get_subcommands().filter(|c| !c.is_hide_set());
    let found = known().find(|c| c.get_name() == name).cloned();
    found.ok_or_else(|| {
        let hint = appended(&did_you_mean(name, known().map(clap::Command::get_name)));
        Failure::usage(format!("`{name}` is not a command{hint}"))
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
    style::print_line(&format!(
        "wrote leakcheck.1 and a page for each command into {}",
        folder.display()
    ));
    Ok(Exit::Success.into())
}

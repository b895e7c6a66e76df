//! The command line of nasc: arguments, files, colours and exit codes. All else is in the library.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}

//! What stands in an attribute: the arguments of `#[tokio::main]` and `#[tokio::test]`, and the path of exectrace.
//!
//! Names, meanings and messages are those of Tokio's own attributes, so that one can stand in place of the other.
//! An error is shown at the argument that it is about.

use proc_macro2::{Span, TokenStream};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, Lit, Meta, MetaNameValue, Path, Token};

/// Which attribute it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Main,
    Test,
}

impl Attribute {
    fn name(self) -> &'static str {
        match self {
            Self::Main => "exectrace::main",
            Self::Test => "exectrace::test",
        }
    }

    fn default_flavor(self) -> Flavor {
        match self {
            Self::Main => Flavor::MultiThread,
            Self::Test => Flavor::CurrentThread,
        }
    }
}

/// Which kind of runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    CurrentThread,
    MultiThread,
    Local,
}

/// What a runtime does when a task panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnhandledPanic {
    Ignore,
    ShutdownRuntime,
}

/// The arguments, checked.
pub(crate) struct Arguments {
    pub(crate) flavor: Flavor,
    pub(crate) worker_threads: Option<usize>,
    pub(crate) start_paused: Option<bool>,
    pub(crate) unhandled_panic: Option<UnhandledPanic>,
    pub(crate) name: Option<String>,
    pub(crate) tokio: Option<Path>,
    pub(crate) exectrace: Option<Path>,
    /// The first argument that only a runtime has a use for.
    pub(crate) of_runtime: Option<Span>,
}

/// The names of all arguments, as messages have them.
const EXPECTED: &str =
    "`flavor`, `worker_threads`, `start_paused`, `crate`, `unhandled_panic`, `name`, `exectrace`";

impl Arguments {
    /// Those of an attribute without any; also what is expanded where there was an error.
    pub(crate) fn none(attribute: Attribute) -> Self {
        Self {
            flavor: attribute.default_flavor(),
            worker_threads: None,
            start_paused: None,
            unhandled_panic: None,
            name: None,
            tokio: None,
            exectrace: None,
            of_runtime: None,
        }
    }

    /// Reads and checks the arguments.
    pub(crate) fn parse(attribute: Attribute, tokens: TokenStream) -> Result<Self, Error> {
        let parser = Punctuated::<Meta, Token![,]>::parse_terminated;
        let mut given = Given::default();
        for argument in parser.parse2(tokens)? {
            match argument {
                Meta::NameValue(argument) => given.take(&argument)?,
                Meta::Path(path) => return Err(without_value(attribute, &path)),
                Meta::List(other) => {
                    let message = "Unknown attribute inside the macro";
                    return Err(Error::new_spanned(other, message));
                }
            }
        }
        given.check(attribute)
    }
}

/// An argument, and where its value stands.
type Located<T> = Option<(T, Span)>;

/// The arguments as they are given.
#[derive(Default)]
struct Given {
    flavor: Located<Flavor>,
    worker_threads: Located<usize>,
    start_paused: Located<bool>,
    unhandled_panic: Located<UnhandledPanic>,
    name: Located<String>,
    tokio: Located<Path>,
    exectrace: Located<Path>,
    of_runtime: Option<Span>,
}

impl Given {
    fn take(&mut self, argument: &MetaNameValue) -> Result<(), Error> {
        let name = name_of(&argument.path, argument)?;
        let Expr::Lit(ExprLit { lit, .. }) = &argument.value else {
            return Err(Error::new_spanned(&argument.value, "Must be a literal"));
        };
        let at = lit.span();
        match name.as_str() {
            "flavor" => set(&mut self.flavor, &name, flavor(lit)?, at)?,
            "worker_threads" => set(&mut self.worker_threads, &name, worker_threads(lit)?, at)?,
            "start_paused" => set(&mut self.start_paused, &name, boolean(lit, &name)?, at)?,
            "unhandled_panic" => set(&mut self.unhandled_panic, &name, unhandled_panic(lit)?, at)?,
            "name" => set(&mut self.name, &name, string(lit, &name)?, at)?,
            "crate" => set(&mut self.tokio, &name, path(lit, &name)?, at)?,
            "exectrace" => return set(&mut self.exectrace, &name, path(lit, &name)?, at),
            "core_threads" => {
                let message = "Attribute `core_threads` is renamed to `worker_threads`";
                return Err(Error::new_spanned(argument, message));
            }
            name => return Err(Error::new_spanned(argument, unknown(name))),
        }
        self.of_runtime.get_or_insert(argument.span());
        Ok(())
    }

    /// Refuses what the runtime that is asked for does not have.
    fn check(self, attribute: Attribute) -> Result<Arguments, Error> {
        let given = self.flavor.map(|(flavor, _)| flavor);
        let flavor = given.unwrap_or(attribute.default_flavor());
        let needs = |option: &str, flavor: &str, at: Span| {
            let attribute = attribute.name();
            let message = format!(
                "The `{option}` option requires the `{flavor}` runtime flavor. Use `#[{attribute}(flavor = \"{flavor}\")]`"
            );
            Err(Error::new(at, message))
        };
        match flavor {
            Flavor::MultiThread => {
                if let Some((_, at)) = self.start_paused {
                    return needs("start_paused", "current_thread", at);
                }
                if let Some((_, at)) = self.unhandled_panic {
                    return needs("unhandled_panic", "current_thread", at);
                }
            }
            Flavor::CurrentThread | Flavor::Local => {
                if let Some((_, at)) = self.worker_threads {
                    return needs("worker_threads", "multi_thread", at);
                }
            }
        }
        Ok(Arguments {
            flavor,
            worker_threads: value(self.worker_threads),
            start_paused: value(self.start_paused),
            unhandled_panic: value(self.unhandled_panic),
            name: value(self.name),
            tokio: value(self.tokio),
            exectrace: value(self.exectrace),
            of_runtime: self.of_runtime,
        })
    }
}

fn value<T>(located: Located<T>) -> Option<T> {
    located.map(|(value, _)| value)
}

fn set<T>(place: &mut Located<T>, name: &str, value: T, at: Span) -> Result<(), Error> {
    if place.is_some() {
        return Err(Error::new(at, format!("`{name}` set multiple times.")));
    }
    *place = Some((value, at));
    Ok(())
}

fn name_of(path: &Path, argument: impl quote::ToTokens) -> Result<String, Error> {
    let name = path.get_ident();
    let name = name.ok_or_else(|| Error::new_spanned(argument, "Must have specified ident"))?;
    Ok(name.to_string().to_lowercase())
}

fn unknown(name: &str) -> String {
    format!("Unknown attribute {name} is specified; expected one of: {EXPECTED}.")
}

/// An argument that is only a name.
fn without_value(attribute: Attribute, path: &Path) -> Error {
    let name = match name_of(path, path) {
        Ok(name) => name,
        Err(error) => return error,
    };
    let flavor = |flavor| {
        let attribute = attribute.name();
        format!("Set the runtime flavor with #[{attribute}(flavor = \"{flavor}\")].")
    };
    let message = match name.as_str() {
        "threaded_scheduler" | "multi_thread" => flavor("multi_thread"),
        "basic_scheduler" | "current_thread" | "single_threaded" => flavor("current_thread"),
        "flavor" | "worker_threads" | "start_paused" | "crate" | "unhandled_panic" | "name"
        | "exectrace" => format!("The `{name}` attribute requires an argument."),
        name => unknown(name),
    };
    Error::new_spanned(path, message)
}

fn flavor(lit: &Lit) -> Result<Flavor, Error> {
    let text = string(lit, "flavor")?;
    let message = match text.as_str() {
        "current_thread" => return Ok(Flavor::CurrentThread),
        "multi_thread" => return Ok(Flavor::MultiThread),
        "local" => return Ok(Flavor::Local),
        "single_thread" => {
            "The single threaded runtime flavor is called `current_thread`.".to_owned()
        }
        "basic_scheduler" => {
            "The `basic_scheduler` runtime flavor has been renamed to `current_thread`.".to_owned()
        }
        "threaded_scheduler" => {
            "The `threaded_scheduler` runtime flavor has been renamed to `multi_thread`.".to_owned()
        }
        other => format!(
            "No such runtime flavor `{other}`. The runtime flavors are `current_thread`, `local`, and `multi_thread`."
        ),
    };
    Err(Error::new(lit.span(), message))
}

fn unhandled_panic(lit: &Lit) -> Result<UnhandledPanic, Error> {
    let text = string(lit, "unhandled_panic")?;
    match text.as_str() {
        "ignore" => Ok(UnhandledPanic::Ignore),
        "shutdown_runtime" => Ok(UnhandledPanic::ShutdownRuntime),
        other => {
            let message = format!(
                "No such unhandled panic behavior `{other}`. The unhandled panic behaviors are `ignore` and `shutdown_runtime`."
            );
            Err(Error::new(lit.span(), message))
        }
    }
}

fn worker_threads(lit: &Lit) -> Result<usize, Error> {
    let name = "worker_threads";
    let Lit::Int(number) = lit else {
        return Err(not_a(lit, name, "integer"));
    };
    let parsed = number.base10_parse::<usize>();
    let number = parsed.map_err(|cause| {
        let message = format!("Failed to parse value of `{name}` as integer: {cause}");
        Error::new(lit.span(), message)
    })?;
    if number == 0 {
        let message = "`worker_threads` may not be 0.";
        return Err(Error::new(lit.span(), message));
    }
    Ok(number)
}

fn string(lit: &Lit, name: &str) -> Result<String, Error> {
    match lit {
        Lit::Str(text) => Ok(text.value()),
        _ => Err(not_a(lit, name, "string")),
    }
}

fn boolean(lit: &Lit, name: &str) -> Result<bool, Error> {
    match lit {
        Lit::Bool(value) => Ok(value.value),
        _ => Err(not_a(lit, name, "bool")),
    }
}

fn path(lit: &Lit, name: &str) -> Result<Path, Error> {
    let Lit::Str(text) = lit else {
        return Err(not_a(lit, name, "path"));
    };
    text.parse().map_err(|_| {
        let text = text.value();
        let message = format!("Failed to parse value of `{name}` as path: \"{text}\"");
        Error::new(lit.span(), message)
    })
}

fn not_a(lit: &Lit, name: &str, what: &str) -> Error {
    let message = format!("Failed to parse value of `{name}` as {what}.");
    Error::new(lit.span(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message of the arguments' error, and the text that it stands at.
    fn error(attribute: Attribute, arguments: &str) -> (String, String) {
        let tokens = arguments.parse().unwrap();
        let error = Arguments::parse(attribute, tokens).err().unwrap();
        (error.to_string(), error.span().source_text().unwrap())
    }

    #[test]
    fn all_arguments_of_tokio_are_taken() {
        let arguments =
            "flavor = \"multi_thread\", worker_threads = 3, name = \"n\", crate = \"a::tokio\",";
        let arguments = Arguments::parse(Attribute::Test, arguments.parse().unwrap())
            .ok()
            .unwrap();
        assert_eq!(arguments.flavor, Flavor::MultiThread);
        assert_eq!(arguments.worker_threads, Some(3));
        assert_eq!(arguments.name.as_deref(), Some("n"));
        assert_eq!(arguments.tokio.unwrap().segments.len(), 2);
        let arguments =
            "start_paused = true, unhandled_panic = \"shutdown_runtime\", exectrace = \"e\"";
        let arguments = Arguments::parse(Attribute::Test, arguments.parse().unwrap())
            .ok()
            .unwrap();
        assert_eq!(arguments.start_paused, Some(true));
        let panic = arguments.unhandled_panic;
        assert_eq!(panic, Some(UnhandledPanic::ShutdownRuntime));
        assert!(arguments.exectrace.is_some());
    }

    #[test]
    fn an_error_stands_at_its_argument_and_says_what_tokio_says() {
        let of_main = |arguments| error(Attribute::Main, arguments);
        let at = |message: &str, text: &str| (message.to_owned(), text.to_owned());
        assert_eq!(
            of_main("worker_threads = 0"),
            at("`worker_threads` may not be 0.", "0")
        );
        assert_eq!(
            of_main("flavor = \"single_thread\", worker_threads = 2").1,
            "\"single_thread\""
        );
        assert_eq!(
            of_main("name = \"a\", name = \"b\""),
            at("`name` set multiple times.", "\"b\"")
        );
        assert_eq!(
            of_main("start_paused = true"),
            at(
                "The `start_paused` option requires the `current_thread` runtime flavor. \
                 Use `#[exectrace::main(flavor = \"current_thread\")]`",
                "true"
            )
        );
        assert_eq!(
            error(Attribute::Test, "worker_threads = 2").1,
            "2",
            "tests have the other flavor by default"
        );
        let (message, text) = of_main("colour = \"red\"");
        assert_eq!(text, "colour = \"red\"");
        assert!(
            message.starts_with("Unknown attribute colour is specified; expected one of: `flavor`")
        );
        let (message, _) = of_main("multi_thread");
        assert!(message.contains("#[exectrace::main(flavor = \"multi_thread\")]"));
    }
}

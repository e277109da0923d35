//! What functions with an attribute become.
//!
//! Where an attribute is wrong, the function is expanded as if it had no arguments, with the error beside it: so
//! the compiler has no further errors for want of a `main`, and editors go on to complete what is inside.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Error, ReturnType, Type};

use crate::arguments::{Arguments, Attribute, Flavor, UnhandledPanic};
use crate::function::{Function, has_no_name};

pub(crate) fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(Attribute::Main, arguments, item)
}

pub(crate) fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(Attribute::Test, arguments, item)
}

fn expand(attribute: Attribute, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => return with_error(item, &error),
    };
    match checked(attribute, arguments, &function) {
        Ok(arguments) => expanded(attribute, &arguments, function),
        Err(error) => {
            let arguments = Arguments::none(attribute);
            with_error(expanded(attribute, &arguments, function), &error)
        }
    }
}

fn with_error(mut tokens: TokenStream, error: &Error) -> TokenStream {
    tokens.extend(error.to_compile_error());
    tokens
}

/// The arguments, if they and the function go together.
fn checked(
    attribute: Attribute,
    arguments: TokenStream,
    function: &Function,
) -> Result<Arguments, Error> {
    let signature = &function.signature;
    if attribute == Attribute::Main && signature.ident == "main" && !signature.inputs.is_empty() {
        let message = "the main function cannot accept arguments";
        return Err(Error::new_spanned(&signature.ident, message));
    }
    if attribute == Attribute::Test
        && let Some(other) = function.test_attribute()
    {
        let message = "second test attribute is supplied, consider removing or changing the order of your test attributes";
        return Err(Error::new_spanned(other, message));
    }
    let arguments = Arguments::parse(attribute, arguments)?;
    if signature.asyncness.is_none()
        && let Some(at) = arguments.of_runtime
    {
        let message = "only an `async` function has a runtime, to which this argument would apply";
        return Err(Error::new(at, message));
    }
    Ok(arguments)
}

fn expanded(attribute: Attribute, arguments: &Arguments, mut function: Function) -> TokenStream {
    let is_async = function.signature.asyncness.take().is_some();
    let begin = match attribute {
        Attribute::Main => begin_main(arguments),
        Attribute::Test => begin_test(arguments, &function),
    };
    let rest = match (attribute, is_async) {
        (Attribute::Main, true) => async_main(arguments, &function),
        (Attribute::Main, false) => function.body(),
        (Attribute::Test, true) => async_test(arguments, &function),
        (Attribute::Test, false) => sync_test(arguments, &function),
    };
    let mut tokens = TokenStream::new();
    for attribute in &function.attributes {
        attribute.to_tokens(&mut tokens);
    }
    if attribute == Attribute::Test {
        // Behind the others, so that macros which come later are aware of it.
        tokens.extend(quote! { #[::core::prelude::v1::test] });
    }
    function.visibility.to_tokens(&mut tokens);
    function.signature.to_tokens(&mut tokens);
    function.brace.surround(&mut tokens, |tokens| {
        begin.to_tokens(tokens);
        rest.to_tokens(tokens);
    });
    tokens
}

fn begin_main(arguments: &Arguments) -> TokenStream {
    let exectrace = exectrace(arguments);
    quote! {
        let __exectrace = #exectrace::__private::Main::begin();
    }
}

fn begin_test(arguments: &Arguments, function: &Function) -> TokenStream {
    let exectrace = exectrace(arguments);
    let name = function.signature.ident.to_string();
    let name = name.strip_prefix("r#").unwrap_or(&name);
    let expected = match function.should_panic() {
        None => quote! { Return },
        Some(None) => quote! { Panic },
        Some(Some(text)) => quote! { PanicWith(#text) },
    };
    quote! {
        let __exectrace = #exectrace::__private::Test::begin(
            ::core::concat!(::core::module_path!(), "::", #name),
            #exectrace::__private::Expected::#expected,
        );
    }
}

fn exectrace(arguments: &Arguments) -> TokenStream {
    let path = arguments.exectrace.as_ref();
    path.map_or_else(|| quote! { ::exectrace }, ToTokens::to_token_stream)
}

fn tokio(arguments: &Arguments) -> TokenStream {
    let path = arguments.tokio.as_ref();
    path.map_or_else(|| quote! { tokio }, ToTokens::to_token_stream)
}

fn async_main(arguments: &Arguments, function: &Function) -> TokenStream {
    let (body, output, last) = (function.body(), function.output(), here(function));
    // Without it, a body of another type than the function's would be an error inside of exectrace.
    let check = match has_no_name(&function.signature.output) {
        true => quote! {},
        false => quote_spanned! {last=>
            if false {
                let _: &dyn ::core::future::Future<Output = #output> = &body;
            }
        },
    };
    let run = run(arguments, &function.signature.ident.to_string());
    quote! {
        let body = async #body;
        #check
        #[allow(clippy::expect_used, clippy::diverging_sub_expression, clippy::needless_return, clippy::unwrap_in_result)]
        {
            #run
            return __result;
        }
    }
}

fn async_test(arguments: &Arguments, function: &Function) -> TokenStream {
    let (body, output, last) = (function.body(), function.output(), here(function));
    let run = run(arguments, "test");
    let end = end_test(arguments, function);
    // Behind a pointer, so that a program with many tests has one copy of what polls them.
    let pinned = quote_spanned! {last=>
        let body: ::core::pin::Pin<&mut dyn ::core::future::Future<Output = #output>> =
            ::core::pin::pin!(body);
    };
    quote! {
        let body = async #body;
        #pinned
        #[allow(clippy::expect_used, clippy::diverging_sub_expression, clippy::needless_return, clippy::unwrap_in_result, clippy::let_unit_value)]
        {
            let __result = {
                #run
                __result
            };
            #end
            return __result;
        }
    }
}

fn sync_test(arguments: &Arguments, function: &Function) -> TokenStream {
    let (body, output) = (function.body(), function.output());
    let end = end_test(arguments, function);
    quote! {
        #[allow(clippy::diverging_sub_expression, clippy::needless_return, clippy::let_unit_value)]
        {
            let __result = __exectrace.call(move || -> #output #body);
            #end
            return __result;
        }
    }
}

/// Builds the runtime and has it run `body`; the result is in `__result`.
fn run(arguments: &Arguments, default_name: &str) -> TokenStream {
    let tokio = tokio(arguments);
    let new = match arguments.flavor {
        Flavor::MultiThread => quote! { new_multi_thread },
        Flavor::CurrentThread | Flavor::Local => quote! { new_current_thread },
    };
    let workers = arguments.worker_threads.into_iter();
    let paused = arguments.start_paused.into_iter();
    let panics = arguments.unhandled_panic.map(|panics| match panics {
        UnhandledPanic::Ignore => quote! { Ignore },
        UnhandledPanic::ShutdownRuntime => quote! { ShutdownRuntime },
    });
    let panics = panics.into_iter();
    let (build, block_on) = match arguments.flavor {
        Flavor::Local => (
            quote! { build_local(::core::default::Default::default()) },
            quote! { block_on_local },
        ),
        _ => (quote! { build() }, quote! { block_on }),
    };
    let name = arguments.name.as_deref().unwrap_or(default_name);
    let is_named = arguments.name.is_some();
    quote! {
        let mut builder = #tokio::runtime::Builder::#new();
        #(builder.worker_threads(#workers);)*
        #(builder.start_paused(#paused);)*
        #(builder.unhandled_panic(#tokio::runtime::UnhandledPanic::#panics);)*
        builder.enable_all();
        __exectrace.prepare(&mut builder, #name, #is_named);
        let runtime = builder.#build.expect("Failed building the Runtime");
        let __result = __exectrace.#block_on(&runtime, body);
    }
}

/// Says that a test fails which returns an error.
fn end_test(arguments: &Arguments, function: &Function) -> TokenStream {
    let is_never = matches!(&function.signature.output, ReturnType::Type(_, output) if matches!(**output, Type::Never(_)));
    if is_never || matches!(function.signature.output, ReturnType::Default) {
        return quote! {};
    }
    let exectrace = exectrace(arguments);
    quote! {
        {
            // For results, `is_failure` is a method of the type itself, and else of the trait.
            #[allow(unused_imports)]
            use #exectrace::__private::NoFailure as _;
            if #exectrace::__private::Returned(&__result).is_failure() {
                __exectrace.fails();
            }
        }
    }
}

/// The place of the last statement, with the names of the attribute.
fn here(function: &Function) -> Span {
    Span::call_site().located_at(function.last_statement())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded_text(attribute: Attribute, arguments: &str, item: &str) -> String {
        let expanded = expand(attribute, arguments.parse().unwrap(), item.parse().unwrap());
        expanded.to_string()
    }

    #[test]
    fn a_wrong_attribute_leaves_a_function_and_one_error() {
        let text = expanded_text(Attribute::Main, "worker_threads = 0", "async fn main() {}");
        assert_eq!(text.matches("compile_error").count(), 1, "{text}");
        assert!(text.contains("fn main"), "{text}");
        assert!(!text.contains("async fn"), "{text}");
    }

    #[test]
    fn a_function_without_async_takes_no_arguments_of_a_runtime() {
        let text = expanded_text(Attribute::Main, "flavor = \"local\"", "fn main() {}");
        assert!(text.contains("only an `async` function"), "{text}");
        let text = expanded_text(Attribute::Main, "exectrace = \"e\"", "fn main() {}");
        assert!(!text.contains("compile_error"), "{text}");
        assert!(text.contains("e :: __private"), "{text}");
    }

    #[test]
    fn a_second_test_attribute_is_refused_and_others_stay() {
        let text = expanded_text(Attribute::Test, "", "#[test] fn a() {}");
        assert!(text.contains("second test attribute"), "{text}");
        let item = "#[should_panic] #[ignore] fn a() { panic!(\"x\") }";
        let text = expanded_text(Attribute::Test, "", item);
        assert!(!text.contains("compile_error"), "{text}");
        assert!(
            text.contains("should_panic") && text.contains("ignore"),
            "{text}"
        );
        assert!(text.contains("Expected :: Panic ,"), "{text}");
    }

    #[test]
    fn the_message_that_a_panic_should_have_is_known_in_both_spellings() {
        for attribute in ["(expected = \"x\")", "(expected = \"x\",)", " = \"x\""] {
            let item = format!("#[should_panic{attribute}] async fn a() {{}}");
            let text = expanded_text(Attribute::Test, "", &item);
            assert!(text.contains("PanicWith (\"x\")"), "{text}");
        }
    }

    #[test]
    fn a_main_that_takes_something_is_refused() {
        let text = expanded_text(Attribute::Main, "", "async fn main(x: u8) {}");
        assert!(
            text.contains("the main function cannot accept arguments"),
            "{text}"
        );
    }

    #[test]
    fn what_is_no_function_is_left_as_it_is_with_an_error() {
        let text = expanded_text(Attribute::Test, "", "struct S;");
        assert!(text.starts_with("struct S ;"), "{text}");
        assert!(text.contains("compile_error"), "{text}");
    }
}

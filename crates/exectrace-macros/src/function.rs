//! The function that an attribute is on. Its statements are not parsed, only separated: so what is wrong in them
//! is an error of the compiler's at its own place, and editors can complete what is being written.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    AttrStyle, Attribute, LitStr, Meta, MetaNameValue, ReturnType, Signature, Token, Visibility,
    braced,
};

/// A function.
pub(crate) struct Function {
    /// Outer attributes, and inner ones as outer ones.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) signature: Signature,
    pub(crate) brace: syn::token::Brace,
    /// With their semicolons.
    statements: Vec<TokenStream>,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse()?;
        let content;
        let brace = braced!(content in input);
        for mut inner in Attribute::parse_inner(&content)? {
            // A block has no inner attributes.
            inner.style = AttrStyle::Outer;
            attributes.push(inner);
        }
        let (mut statements, mut statement) = (Vec::new(), TokenStream::new());
        while !content.is_empty() {
            if let Some(semicolon) = content.parse::<Option<Token![;]>>()? {
                semicolon.to_tokens(&mut statement);
                statements.push(std::mem::take(&mut statement));
            } else {
                statement.extend([content.parse::<TokenTree>()?]);
            }
        }
        if !statement.is_empty() {
            statements.push(statement);
        }
        Ok(Self {
            attributes,
            visibility,
            signature,
            brace,
            statements,
        })
    }
}

impl Function {
    /// The body, in its braces.
    pub(crate) fn body(&self) -> TokenStream {
        let mut body = TokenStream::new();
        self.brace.surround(&mut body, |body| {
            for statement in &self.statements {
                statement.to_tokens(body);
            }
        });
        body
    }

    /// The type that the body has.
    pub(crate) fn output(&self) -> TokenStream {
        match &self.signature.output {
            ReturnType::Default => quote::quote! { () },
            ReturnType::Type(_, output) => output.to_token_stream(),
        }
    }

    /// Where the compiler shows that the type of the body is another one: the begin of the last statement.
    pub(crate) fn last_statement(&self) -> Span {
        let last = self.statements.last().cloned().unwrap_or_default();
        last.into_iter()
            .next()
            .map_or_else(Span::call_site, |token| token.span())
    }

    /// What is to be in the message of the panic that it is expected to end with; the first `None` if it is to return.
    pub(crate) fn should_panic(&self) -> Option<Option<LitStr>> {
        let mut attributes = self.attributes.iter();
        let attribute = attributes.find(|attribute| attribute.path().is_ident("should_panic"))?;
        let value = match &attribute.meta {
            Meta::NameValue(named) => Some(named.clone()),
            Meta::List(list) => {
                let values = Punctuated::<MetaNameValue, Token![,]>::parse_terminated;
                list.parse_args_with(values)
                    .ok()
                    .and_then(|values| values.into_iter().next())
            }
            Meta::Path(_) => None,
        };
        // What is wrong with it, the compiler says.
        Some(value.and_then(|named| syn::parse2(named.value.into_token_stream()).ok()))
    }

    /// The attribute that makes a test of it already.
    pub(crate) fn test_attribute(&self) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| {
            let path = attribute.path();
            let segments: Vec<_> = path
                .segments
                .iter()
                .map(|one| one.ident.to_string())
                .collect();
            let is_of_std = |first: &str| first == "core" || first == "std";
            match segments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["test"] => path.leading_colon.is_none(),
                [first, "prelude", _, "test"] => is_of_std(first),
                _ => false,
            }
        })
    }
}

/// Whether a type has `impl Trait` in it, or is `!`: a variable of such a type cannot be declared.
pub(crate) fn has_no_name(output: &ReturnType) -> bool {
    let ReturnType::Type(_, output) = output else {
        return false;
    };
    let tokens = output.to_token_stream();
    matches!(**output, syn::Type::Never(_)) || has_impl(tokens)
}

fn has_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "impl",
        TokenTree::Group(group) => has_impl(group.stream()),
        _ => false,
    })
}

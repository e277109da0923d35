//! Whose traces these are: the service and the host, by OpenTelemetry's environment variables.

use std::env;
use std::path::Path;

use percent_encoding::percent_decode_str;

/// A service, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) service: String,
    pub(super) host: String,
    /// `service.version`, where that is said.
    pub(super) version: Option<String>,
}

/// Stands for a name that nobody says.
const UNKNOWN: &str = "unknown";

impl Origin {
    pub(super) fn of_environment() -> Self {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self::of(
            variable("OTEL_SERVICE_NAME"),
            &variable("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default(),
            || program().unwrap_or_else(|| UNKNOWN.to_owned()),
            || {
                host()
                    .or_else(|| variable("HOSTNAME"))
                    .unwrap_or_else(|| UNKNOWN.to_owned())
            },
        )
    }

    fn of(
        service: Option<String>,
        attributes: &str,
        program: impl FnOnce() -> String,
        host: impl FnOnce() -> String,
    ) -> Self {
        let attribute = |name| attribute(attributes, name);
        Self {
            service: service
                .or_else(|| attribute("service.name"))
                .unwrap_or_else(program),
            host: attribute("host.name").unwrap_or_else(host),
            version: attribute("service.version"),
        }
    }
}

/// The value of a resource attribute in `key=value,key=value`, whose values are percent-encoded.
fn attribute(attributes: &str, wanted: &str) -> Option<String> {
    let mut pairs = attributes
        .split(',')
        .filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.find(|(key, _)| key.trim() == wanted)?;
    let value = percent_decode_str(value.trim()).decode_utf8_lossy();
    (!value.is_empty()).then(|| value.into_owned())
}

fn program() -> Option<String> {
    let path = env::current_exe().ok()?;
    Some(Path::file_stem(&path)?.to_string_lossy().into_owned())
}

fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opentelemetrys_variables_name_the_service_and_the_host() {
        let of = |service: Option<&str>, attributes: &str| {
            let service = service.map(str::to_owned);
            let origin = Origin::of(service, attributes, || "prog".into(), || "box".into());
            (origin.service, origin.host, origin.version)
        };
        let expected = |service: &str, host: &str, version: Option<&str>| {
            (
                service.to_owned(),
                host.to_owned(),
                version.map(str::to_owned),
            )
        };
        let all = "service.name=shop, host.name=web%201 ,service.version=1.2,broken";
        assert_eq!(of(None, ""), expected("prog", "box", None));
        assert_eq!(of(None, all), expected("shop", "web 1", Some("1.2")));
        assert_eq!(
            of(Some("cart"), all),
            expected("cart", "web 1", Some("1.2"))
        );
        assert_eq!(of(None, "service.name="), expected("prog", "box", None));
    }
}

//! `[registry]` and `[trust]`: from where components may come, and who must vouch for them.

use std::path::Path;

use super::file::{self, File};
use super::problems::Found;
use super::reader::Reader;
use crate::registry::{Reference, RegistrySettings, SCHEME};
use crate::trust::{PublicKey, Trust};

/// Where components are kept below the runtime's own cache.
const BELOW_RUNTIME: &str = "components";

pub(super) fn settings(reader: &Reader<'_>, file: &File, found: &Found) -> RegistrySettings {
    let registry = file.registry.as_ref();
    let defaults = RegistrySettings::default();
    let hosts = |key, listed: fn(&file::Registry) -> &Option<Vec<String>>| {
        let hosts = registry.and_then(|registry| listed(registry).clone());
        let hosts = hosts.unwrap_or_default().into_iter().enumerate();
        let checked = hosts.filter_map(|(at, host)| {
            let checked = match is_host(&host) {
                true => Ok(host),
                false => {
                    let message = format!(
                        "`{host}` is not a host: write it as `registry.example.com` or `registry.example.com:5000`"
                    );
                    Err(reader.problem(&["registry", key, &at.to_string()], message))
                }
            };
            found.keep(checked)
        });
        checked.collect()
    };
    let own = registry
        .and_then(|registry| registry.cache.as_deref())
        .map(|path| reader.written_path(&["registry", "cache"], path));
    let own = found.keep(own.transpose()).flatten();
    let runtime = file.runtime.as_ref();
    let beside = runtime.and_then(|runtime| Some(runtime.cache.as_deref()?.join(BELOW_RUNTIME)));
    let timeout = registry.and_then(|registry| registry.timeout);
    RegistrySettings {
        allow_tags: registry
            .and_then(|registry| registry.allow_tags)
            .unwrap_or(defaults.allow_tags),
        plain_http: hosts("plain_http", |registry| &registry.plain_http),
        ca_file: found
            .keep(reader.ca_file(
                &["registry", "ca_file"],
                registry.and_then(|registry| registry.ca_file.as_deref()),
            ))
            .flatten(),
        redirects: hosts("redirects", |registry| &registry.redirects),
        cache: own.or_else(|| beside.map(|path| reader.path(&path))),
        cache_max: registry
            .and_then(|registry| registry.cache_max)
            .map_or(defaults.cache_max, |size| size.0),
        timeout: found
            .keep(reader.positive(&["registry", "timeout"], timeout, defaults.timeout))
            .unwrap_or(defaults.timeout),
    }
}

pub(super) fn trust(reader: &Reader<'_>, file: &File, found: &Found) -> Trust {
    let trust = file.trust.as_ref();
    let texts = trust.and_then(|trust| trust.keys.as_deref());
    let texts = texts.unwrap_or_default();
    let mut keys = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let key = match text.ends_with(".pem") {
            true => PublicKey::read(&reader.path(Path::new(text))),
            false => text.parse(),
        };
        keys.extend(found.keep(key.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(" ({cause})"));
            let message = format!(
                "{error}{}; a key is `ed25519:…`, or the path of a .pem file with the public key",
                cause.unwrap_or_default()
            );
            reader.problem(&["trust", "keys", &at.to_string()], message)
        })));
    }
    let require_signature = trust
        .and_then(|trust| trust.require_signature)
        .unwrap_or(false);
    if require_signature && texts.is_empty() {
        found.keep::<()>(Err(reader.problem(
            &["trust", "require_signature"],
            "without `keys`, no signature could ever be accepted: name the keys that you trust",
        )));
    }
    Trust {
        keys,
        require_signature,
    }
}

/// A host by itself reads as the host of some reference.
fn is_host(text: &str) -> bool {
    let reference = format!("{SCHEME}{text}/x").parse::<Reference>();
    reference.is_ok_and(|reference| reference.host().eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::source::Problem;
    use super::super::{Settings, Source};
    use crate::policy::ComponentSource;
    use crate::trust::SecretKey;

    const MINIMAL: &str = "[staging]\ndir = \"s\"\n[store]\nurl = \"memory:///\"\n";
    const PIN: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn read(lines: &str) -> Result<Settings, Problem> {
        let source = Source::new("/etc/tidegate.toml", format!("{MINIMAL}{lines}"));
        Settings::from_source(&source, &|_| None)
    }

    #[test]
    fn a_component_may_stand_in_a_registry() {
        let lines = format!(
            "[registry]\nallow_tags = true\nredirects = [\"blobs.example.com\"]\n\
             [policies.x]\ncomponent = \"oci://registry.example.com/acme/x:1@sha256:{PIN}\"\n"
        );
        let settings = read(&lines).unwrap();
        let ComponentSource::Registry(reference, registry) = &settings.policies["x"].component
        else {
            panic!("{:?}", settings.policies["x"].component);
        };
        assert_eq!(reference.digest().unwrap().to_string(), PIN);
        assert!(registry.allow_tags);
        assert_eq!(registry.redirects, ["blobs.example.com"]);
        assert_eq!(registry.cache, None);
    }

    #[test]
    fn components_are_kept_beside_compiled_code_unless_said_otherwise() {
        let cache = |lines: &str| read(lines).unwrap().registry.cache.clone();
        let runtime = "[runtime]\ncache = \"cache\"\n";
        let beside = Some(PathBuf::from("/etc/cache/components"));
        assert_eq!(cache(runtime), beside);
        let own = cache(&format!(
            "{runtime}[registry]\ncache = \"/srv/components\"\n"
        ));
        assert_eq!(own, Some(PathBuf::from("/srv/components")));
    }

    #[test]
    fn keys_stand_in_the_file_or_in_one_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let own = SecretKey::generate().unwrap();
        let (_, public) = own.write(&dir.path().join("own")).unwrap();
        let other = SecretKey::generate().unwrap().public();
        let lines = format!(
            "[trust]\nkeys = [{public:?}, \"{other}\"]\nrequire_signature = true\n\
                             [policies.x]\ncomponent = \"x.wasm\"\n"
        );
        let settings = read(&lines).unwrap();
        assert_eq!(settings.trust.keys, [own.public(), other]);
        assert_eq!(settings.policies["x"].trust, settings.trust);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (lines, line, told) in [
            (
                "[policies.x]\ncomponent = \"oci://registry.example.com/Acme:1\"\n",
                6,
                "is no reference",
            ),
            (
                "[policies.x]\ncomponent = \"oci://me:pw@registry.example.com/acme:1\"\n",
                6,
                "docker configuration",
            ),
            (
                "[registry]\nredirects = [\"https://x.example.com\"]\n",
                6,
                "`https://x.example.com` is not a host",
            ),
            (
                "[registry]\nplain_http = [\"a.example.com\", \"a/b\"]\n",
                6,
                "`a/b` is not a host",
            ),
            (
                "[registry]\ntimeout = \"0s\"\n",
                6,
                "`timeout` must be more than 0s",
            ),
            ("[trust]\nkeys = [\"ed25519:AAAA\"]\n", 6, "32 bytes"),
            ("[trust]\nkeys = [\"rsa:AAAA\"]\n", 6, "the only kind"),
            ("[trust]\nkeys = [\"gone.pem\"]\n", 6, "/etc/gone.pem"),
            ("[trust]\nrequire_signature = true\n", 6, "without `keys`"),
        ] {
            let problem = read(lines).unwrap_err();
            assert!(problem.message.contains(told), "{lines}\n{problem}");
            assert_eq!(problem.line, line, "{problem}");
            assert!(!problem.to_string().contains("me:pw"), "{problem}");
        }
    }
}

//! The form that a component has in a registry: a manifest, a configuration and one layer, as the CNCF's guidance on WASM
//! artifacts describes them and `wkg` reads and writes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wit_component::DecodedWasm;

use super::error::RegistryError;
use crate::digest::Digest;

/// The media type of manifests.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of a component's configuration.
pub const CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// The media type of the component itself.
pub const LAYER: &str = "application/wasm";
/// The annotation that holds what `policy sign` wrote.
pub const SIGNATURE: &str = "io.github.tidegate.signature";
/// The annotation of a name.
pub const TITLE: &str = "org.opencontainers.image.title";
/// The annotation of a version.
pub const VERSION: &str = "org.opencontainers.image.version";
/// The annotation of a sentence on what it does.
pub const DESCRIPTION: &str = "org.opencontainers.image.description";

/// The largest manifest that is read, in bytes. Those of components have about 700.
pub const MAX_MANIFEST: u64 = 1 << 20;
/// The largest configuration that is read, in bytes.
pub const MAX_CONFIG: u64 = 1 << 20;
/// The largest component that is carried or loaded, in bytes. Python's interpreter makes one of 18 MiB.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// When every component says that it was made. A moment of its own for each push would give the same component another
/// digest each time.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What names a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    #[serde(with = "prefixed")]
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Descriptor {
    fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            annotations: BTreeMap::new(),
        }
    }
}

/// A manifest of one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    schema_version: u32,
    #[serde(default)]
    media_type: Option<String>,
    pub(super) config: Descriptor,
    layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

impl Manifest {
    /// The manifest of a component and its configuration.
    pub(super) fn new(
        config: &[u8],
        component: &[u8],
        annotations: BTreeMap<String, String>,
    ) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(MANIFEST.to_owned()),
            config: Descriptor::of(CONFIG, config),
            layers: vec![Descriptor::of(LAYER, component)],
            annotations,
        }
    }

    /// Reads what a registry calls a manifest.
    ///
    /// # Errors
    ///
    /// When it is none of a component.
    pub(super) fn read(bytes: &[u8], what: &str) -> Result<Self, RegistryError> {
        let refused = |why: String| RegistryError::NoComponent {
            what: what.to_owned(),
            why,
        };
        // An index of images has neither configuration nor layers, so its type is looked at first.
        let kind: Kind = serde_json::from_slice(bytes)
            .map_err(|error| refused(format!("its manifest is no JSON document ({error})")))?;
        if let Some(other) = kind.media_type.filter(|found| found != MANIFEST) {
            return Err(refused(format!(
                "its manifest is of type {}, and {MANIFEST} is read",
                shown(&other)
            )));
        }
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| refused(format!("its manifest can't be read ({error})")))?;
        if manifest.config.media_type != CONFIG {
            return Err(refused(format!(
                "its configuration is of type {}, and {CONFIG} is read",
                shown(&manifest.config.media_type)
            )));
        }
        let layer = match &*manifest.layers {
            [layer] => layer,
            layers => {
                return Err(refused(format!(
                    "it has {} layers, and a component has one",
                    layers.len()
                )));
            }
        };
        if layer.media_type != LAYER {
            return Err(refused(format!(
                "its layer is of type {}, and {LAYER} is read",
                shown(&layer.media_type)
            )));
        }
        for (of, part, max) in [
            ("the component of", layer, MAX_COMPONENT),
            ("the configuration of", &manifest.config, MAX_CONFIG),
        ] {
            if part.size > max {
                let what = format!("{of} {what}");
                return Err(RegistryError::TooLarge { what, max });
            }
        }
        Ok(manifest)
    }

    /// The component's layer.
    pub(super) fn layer(&self) -> &Descriptor {
        // Both ways to a manifest see to it that there is exactly one.
        self.layers.first().unwrap_or(&self.config)
    }

    /// Its blobs.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.config).chain(&self.layers)
    }

    /// The bytes that are sent, whose digest names it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        // Texts and numbers only, which JSON always takes.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    media_type: Option<String>,
}

/// `sha256:` before a digest; others are refused.
mod prefixed {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::digest::Digest;

    pub(super) fn serialize<S: Serializer>(
        digest: &Digest,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("sha256:{digest}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix("sha256:") {
            Some(digits) => digits.parse().map_err(D::Error::custom),
            None => Err(D::Error::custom("a digest that is no SHA-256")),
        }
    }
}

/// A component's configuration, with the keys that `wkg` writes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    created: &'static str,
    author: Option<String>,
    architecture: &'static str,
    os: &'static str,
    layer_digests: Vec<String>,
    component: World,
}

/// What a component exports and imports.
#[derive(Serialize)]
struct World {
    exports: Vec<String>,
    imports: Vec<String>,
    target: Option<String>,
}

/// The configuration of a component.
///
/// # Errors
///
/// When the bytes are none.
pub(super) fn config_of(component: &[u8], what: &str) -> Result<Vec<u8>, RegistryError> {
    let refused = |why: String| RegistryError::NoComponent {
        what: what.to_owned(),
        why,
    };
    wasmparser::validate(component).map_err(|error| refused(error.to_string()))?;
    let decoded =
        wit_component::decode(component).map_err(|error| refused(format!("{error:#}")))?;
    let DecodedWasm::Component(resolve, world) = decoded else {
        return Err(refused("it is a package of interfaces".to_owned()));
    };
    let world = resolve
        .worlds
        .get(world)
        .ok_or_else(|| refused("it has no world".to_owned()))?;
    let named = |keys: &mut dyn Iterator<Item = &wit_parser::WorldKey>| {
        keys.map(|key| resolve.name_world_key(key)).collect()
    };
    let config = Config {
        created: CREATED,
        author: None,
        architecture: "wasm",
        os: "wasip2",
        layer_digests: vec![format!("sha256:{}", Digest::of(component))],
        component: World {
            exports: named(&mut world.exports.keys()),
            imports: named(&mut world.imports.keys()),
            target: None,
        },
    };
    serde_json::to_vec(&config).map_err(|error| refused(error.to_string()))
}

/// A registry's words as they may be shown: in one line, and not endless.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 200;
    let mut line: String = text
        .chars()
        .take(MOST)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(MOST).is_some() {
        line.push('…');
    }
    line
}

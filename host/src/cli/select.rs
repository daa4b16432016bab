//! Which streams a command is about: by name, by `tenant/name`, by glob.

use globset::{GlobBuilder, GlobMatcher};

use super::CommandError;
use crate::stream::StreamId;

/// The streams that the command line names; all of them when it names none.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    patterns: Vec<(String, GlobMatcher)>,
}

impl Selection {
    pub(super) fn parse(patterns: &[String]) -> Result<Self, CommandError> {
        let parse = |text: &String| {
            let glob = GlobBuilder::new(text).literal_separator(true).build();
            glob.map(|glob| (text.clone(), glob.compile_matcher()))
                .map_err(|error| {
                    CommandError::Usage(format!("`{text}` is no stream: {}", error.kind()))
                })
        };
        Ok(Self {
            patterns: patterns.iter().map(parse).collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn takes(&self, stream: &StreamId) -> bool {
        self.patterns.is_empty() || self.patterns.iter().any(|pattern| matches(pattern, stream))
    }

    /// A pattern that takes none of these streams: a slip of the pen, most likely.
    pub(super) fn unmatched<'s>(
        &self,
        streams: impl Iterator<Item = &'s StreamId> + Clone,
    ) -> Option<&str> {
        let idle = self
            .patterns
            .iter()
            .find(|pattern| !streams.clone().any(|stream| matches(pattern, stream)));
        idle.map(|(text, _)| text.as_str())
    }
}

/// Names stand for themselves even where they hold a glob's signs.
fn matches((text, glob): &(String, GlobMatcher), stream: &StreamId) -> bool {
    let name = match &stream.tenant {
        Some(tenant) => format!("{tenant}/{}", stream.name),
        None => stream.name.to_string(),
    };
    *text == name || glob.is_match(&name) || stream.tenant.is_some() && glob.is_match(&*stream.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_taken_by_name_and_by_glob() {
        let takes = |pattern: &str, stream: &StreamId| {
            Selection::parse(&[pattern.to_owned()])
                .unwrap()
                .takes(stream)
        };
        let plain = StreamId::new("app");
        let tenanted = StreamId::with_tenant("acme", "app");
        assert!(takes("app", &plain) && takes("a*", &plain) && takes("app", &tenanted));
        assert!(takes("acme/app", &tenanted) && takes("acme/*", &tenanted));
        assert!(!takes("acme/app", &plain) && !takes("ap", &plain));
        assert!(
            takes("[x]", &StreamId::new("[x]")),
            "a name with a glob's signs"
        );
        assert!(Selection::default().takes(&plain));
    }
}

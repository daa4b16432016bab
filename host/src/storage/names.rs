use std::collections::BTreeMap;

/// The names of a store's settings in the configuration that they came from, so that messages name keys that exist
/// there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingNames {
    /// Whether the settings are those of a Parseable node's environment.
    parseable: bool,
    /// The variable that names the store. `None` if the file's URL does.
    store: Option<String>,
    /// The key or variable that set an option, by option.
    set_by: BTreeMap<String, String>,
}

/// Parseable's variables for options.
const PARSEABLE: [(&str, &str); 8] = [
    ("access_key_id", "P_S3_ACCESS_KEY"),
    ("allow_http", "P_S3_URL"),
    ("allow_invalid_certificates", "P_S3_TLS_SKIP_VERIFY"),
    ("checksum_algorithm", "P_S3_CHECKSUM"),
    ("endpoint", "P_S3_URL"),
    ("region", "P_S3_REGION"),
    ("secret_access_key", "P_S3_SECRET_KEY"),
    ("virtual_hosted_style_request", "P_S3_PATH_STYLE"),
];

impl SettingNames {
    /// The variables of a Parseable node's environment, and keys of the file for what they leave out.
    pub fn parseable() -> Self {
        Self {
            parseable: true,
            ..Self::default()
        }
    }

    /// Notes that this variable names the store, and not the file's URL.
    pub fn note_store(&mut self, variable: impl Into<String>) {
        self.store = Some(variable.into());
    }

    /// Notes that this key or variable sets the option, as in `` `store.option_files.region` ``.
    pub fn note(&mut self, option: &str, set_by: impl Into<String>) {
        self.set_by.insert(option.to_owned(), set_by.into());
    }

    /// The key or variable for an option.
    pub(super) fn of(&self, option: &str) -> String {
        if let Some(name) = self.set_by.get(option) {
            return name.clone();
        }
        let variable = PARSEABLE.iter().find(|(name, _)| *name == option);
        match variable.filter(|_| self.parseable) {
            Some((_, variable)) => (*variable).to_owned(),
            None => format!("`store.options.{option}`"),
        }
    }

    /// The key or variable that names the store: its bucket, container or directory.
    pub fn store(&self) -> String {
        match &self.store {
            Some(variable) => variable.clone(),
            None => "`store.url`".to_owned(),
        }
    }

    /// Whether the file names the store, and not a variable.
    pub fn is_of_the_file(&self) -> bool {
        self.store.is_none()
    }

    /// Whether credentials may come from the environment's own variables too.
    pub(super) fn is_parseable(&self) -> bool {
        self.parseable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_named_by_what_set_them() {
        let mut names = SettingNames::default();
        assert_eq!(names.of("endpoint"), "`store.options.endpoint`");
        names.note(
            "secret_access_key",
            "`store.option_files.secret_access_key`",
        );
        assert_eq!(
            names.of("secret_access_key"),
            "`store.option_files.secret_access_key`"
        );
        let mut names = SettingNames::parseable();
        assert_eq!(names.of("endpoint"), "P_S3_URL");
        assert_eq!(names.of("proxy_url"), "`store.options.proxy_url`");
        names.note("endpoint", "`store.options.endpoint`");
        assert_eq!(names.of("endpoint"), "`store.options.endpoint`");
        assert_eq!(names.store(), "`store.url`");
        names.note_store("P_S3_BUCKET");
        assert_eq!(names.store(), "P_S3_BUCKET");
    }
}

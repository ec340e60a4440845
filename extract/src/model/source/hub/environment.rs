//! What the environment says about the hub, by the names that Hugging Face's own tools read.

use super::super::error::SourceError;
use hf_hub::Cache;
use std::path::PathBuf;

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// Where the hub is, where its files are kept, and who asks.
#[derive(Clone)]
pub struct Hub {
    /// Address without a slash at the end: HF_ENDPOINT names a mirror.
    pub endpoint: String,
    /// The directory of repositories: HF_HUB_CACHE, or `hub` in HF_HOME.
    pub cache_dir: PathBuf,
    /// Whether nothing may be asked of the network: HF_HUB_OFFLINE.
    pub is_offline: bool,
    /// HF_TOKEN, or what `hf auth login` left in HF_HOME.
    pub(super) token: Option<String>,
}

/// The token stays out of messages.
impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("cache_dir", &self.cache_dir)
            .field("is_offline", &self.is_offline)
            .field("has_token", &self.token.is_some())
            .finish()
    }
}

impl Hub {
    /// Reads this process's environment.
    ///
    /// # Errors
    /// [`SourceError::NoCache`] where no variable names a place and the user has no home directory.
    pub fn from_env() -> Result<Self, SourceError> {
        Self::read(
            |name| std::env::var(name).ok(),
            directories::BaseDirs::new().map(|d| d.home_dir().to_owned()),
        )
    }

    fn read(variable: impl Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Result<Self, SourceError> {
        let first = |names: &[&str]| {
            names.iter().find_map(|name| variable(name).filter(|value| !value.trim().is_empty()))
        };
        let cache = first(&["XDG_CACHE_HOME"]).map(PathBuf::from).or(home.map(|home| home.join(".cache")));
        let hf_home = first(&["HF_HOME"]).map(PathBuf::from).or(cache.map(|c| c.join("huggingface")));
        let cache_dir = first(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
            .map(PathBuf::from)
            .or(hf_home.as_ref().map(|home| home.join("hub")))
            .ok_or(SourceError::NoCache)?;
        let token_file =
            first(&["HF_TOKEN_PATH"]).map(PathBuf::from).or(hf_home.map(|home| home.join("token")));
        let kept = || token_file.and_then(|path| std::fs::read_to_string(path).ok());
        let token = first(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]).or_else(kept);
        let endpoint = first(&["HF_ENDPOINT"]).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
        Ok(Self {
            endpoint: endpoint.trim().trim_end_matches('/').to_owned(),
            cache_dir,
            is_offline: first(&["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]).is_some_and(|v| is_true(&v)),
            token: token.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()),
        })
    }

    /// The directory as the hf-hub crate sees it.
    pub(super) fn cache(&self) -> Cache {
        Cache::new(self.cache_dir.clone())
    }
}

/// As huggingface_hub reads a flag.
fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].contains(&value.trim().to_uppercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Hub {
        let find = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Hub::read(find, Some("/home/a".into())).expect("a home")
    }

    #[test]
    fn places_follow_the_order_of_huggingface_hub() {
        let place = |set: &[(&str, &str)]| read(set).cache_dir.to_string_lossy().into_owned();
        assert_eq!(place(&[]), "/home/a/.cache/huggingface/hub");
        assert_eq!(place(&[("XDG_CACHE_HOME", "/x")]), "/x/huggingface/hub");
        assert_eq!(place(&[("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")]), "/h/hub");
        assert_eq!(place(&[("HF_HUB_CACHE", "/c"), ("HF_HOME", "/h")]), "/c");
        assert!(matches!(Hub::read(|_| None, None), Err(SourceError::NoCache)));
    }

    #[test]
    fn flags_and_addresses_are_read_leniently() {
        assert!(read(&[("HF_HUB_OFFLINE", "yes")]).is_offline);
        assert!(!read(&[("HF_HUB_OFFLINE", "0")]).is_offline);
        assert_eq!(read(&[("HF_ENDPOINT", "https://mirror.example/ ")]).endpoint, "https://mirror.example");
        assert_eq!(read(&[("HF_ENDPOINT", "")]).endpoint, DEFAULT_ENDPOINT);
    }

    #[test]
    fn a_token_is_taken_and_never_shown() {
        let home = tempfile::tempdir().expect("a directory");
        std::fs::write(home.path().join("token"), "hf_kept\n").expect("written");
        let text = home.path().to_str().expect("UTF-8");
        assert_eq!(read(&[("HF_HOME", text)]).token.as_deref(), Some("hf_kept"));
        let hub = read(&[("HF_HOME", text), ("HF_TOKEN", "hf_given")]);
        assert_eq!(hub.token.as_deref(), Some("hf_given"));
        assert!(!format!("{hub:?}").contains("hf_given"));
    }
}

//! What to keep of a forward pass, and how to decode. Part of every extraction's key.

use crate::tokenize::chat::{ChatDate, ChatTemplate};
use hypercolumn_schemas::Pooling;
use serde::{Deserialize, Serialize};

/// Keeps the pooled states of some roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HiddenRule {
    /// Roles that the rule is for; absent: every role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The poolings kept for them.
    pub pooling: Vec<Pooling>,
}

/// Keeps the attention between some roles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttentionRule {
    /// Roles of query segments; absent: every role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_roles: Option<Vec<String>>,
    /// Roles of key segments; absent: every role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_roles: Option<Vec<String>>,
}

/// Settings of an extraction. The default keeps everything and stops a response at 16 tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Which pooled states are kept: a role's poolings are those of all rules that name it.
    pub hidden_states: Vec<HiddenRule>,
    /// Which attention is kept.
    pub attention: AttentionRule,
    /// A response has at most this many tokens; 0 writes no response.
    pub max_new_tokens: usize,
    /// A response ends with the token that makes it contain one of these.
    pub stop: Vec<String>,
    /// What stands between a prompt and an answer that is scored; what the prompt suggests if absent. A prompt's param
    /// `answer_prefix` goes before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_prefix: Option<String>,
    /// What stands around a prompt's text when the model reads it.
    #[serde(skip_serializing_if = "ChatTemplate::is_none")]
    pub chat_template: ChatTemplate,
    /// The date for chat templates that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chat_date: Option<ChatDate>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hidden_states: vec![HiddenRule { roles: None, pooling: Pooling::ALL.to_vec() }],
            attention: AttentionRule::default(),
            max_new_tokens: 16,
            stop: Vec::new(),
            answer_prefix: None,
            chat_template: ChatTemplate::None,
            chat_date: None,
        }
    }
}

impl Settings {
    /// Poolings kept for `role`, in table order.
    pub fn poolings(&self, role: &str) -> Vec<Pooling> {
        let names =
            |rule: &HiddenRule| rule.roles.as_ref().is_none_or(|roles| roles.iter().any(|r| r == role));
        let kept =
            |p: &Pooling| self.hidden_states.iter().any(|rule| names(rule) && rule.pooling.contains(p));
        Pooling::ALL.into_iter().filter(kept).collect()
    }
}

impl AttentionRule {
    /// Whether attention from segments of `role` is kept.
    pub fn keeps_query(&self, role: &str) -> bool {
        self.query_roles.as_ref().is_none_or(|roles| roles.iter().any(|r| r == role))
    }

    /// Whether attention to segments of `role` is kept.
    pub fn keeps_key(&self, role: &str) -> bool {
        self.key_roles.as_ref().is_none_or(|roles| roles.iter().any(|r| r == role))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_add_up() {
        let rule = |roles: Option<&[&str]>, pooling: &[Pooling]| HiddenRule {
            roles: roles.map(|r| r.iter().map(|s| s.to_string()).collect()),
            pooling: pooling.to_vec(),
        };
        let settings = Settings {
            hidden_states: vec![
                rule(Some(&["prompt"]), &[Pooling::Max]),
                rule(None, &[Pooling::Last, Pooling::Mean]),
            ],
            ..Settings::default()
        };
        assert_eq!(settings.poolings("prompt"), Pooling::ALL);
        assert_eq!(settings.poolings("cue"), [Pooling::Mean, Pooling::Last]);
    }
}

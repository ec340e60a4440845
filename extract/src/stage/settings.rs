//! What to keep of a forward pass, and how to decode. Part of every extraction's key.

use crate::stage::sampling::Sampling;
use crate::tokenize::chat::{ChatDate, ChatTemplate};
use hypercolumn_schemas::Pooling;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Keeps the pooled states of some roles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HiddenRule {
    /// Roles that the rule is for; absent: every role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The poolings kept for them.
    pub pooling: Vec<Pooling>,
}

/// Keeps the attention between some roles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Responses that are drawn beside the greedy one.
    #[serde(skip_serializing_if = "Sampling::is_default")]
    pub sampling: Sampling,
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
            sampling: Sampling::default(),
            answer_prefix: None,
            chat_template: ChatTemplate::None,
            chat_date: None,
        }
    }
}

impl Settings {
    /// The most tokens that the sampled responses to a prompt have together.
    pub fn n_sampled_tokens(&self) -> usize {
        self.sampling.n_samples * self.max_new_tokens
    }

    /// The key and the reason of the first setting of sampling that makes no sense with the others.
    pub fn sampling_problem(&self) -> Option<(&'static str, String)> {
        if self.sampling.n_samples > 0 && self.max_new_tokens == 0 {
            return Some(("n_samples", "no responses are generated where max_new_tokens = 0".to_owned()));
        }
        self.sampling.problem()
    }

    /// Poolings kept for `role`, in table order.
    pub fn poolings(&self, role: &str) -> Vec<Pooling> {
        let names =
            |rule: &HiddenRule| rule.roles.as_ref().is_none_or(|roles| roles.iter().any(|r| r == role));
        let kept =
            |p: &Pooling| self.hidden_states.iter().any(|rule| names(rule) && rule.pooling.contains(p));
        Pooling::ALL.into_iter().filter(kept).collect()
    }

    /// What is kept so that nothing of an earlier extraction goes which answered alike: `earlier` if that keeps all that is
    /// asked for here, otherwise both together; these settings where prompts were read or answered otherwise.
    #[must_use]
    pub fn joined_to(&self, earlier: &Self) -> Self {
        let capture_of = |settings: &Self| (settings.hidden_states.clone(), settings.attention.clone());
        let (hidden_states, attention) = capture_of(earlier);
        if (Self { hidden_states, attention, ..self.clone() }) != *earlier {
            return self.clone();
        }
        let mut joined = earlier.clone();
        for rule in &self.hidden_states {
            let is_kept = |pooling: &Pooling| match &rule.roles {
                Some(roles) => roles.iter().all(|role| joined.poolings(role).contains(pooling)),
                None => joined.hidden_states.iter().any(|r| r.roles.is_none() && r.pooling.contains(pooling)),
            };
            if !rule.pooling.iter().all(is_kept) {
                joined.hidden_states.push(rule.clone());
            }
        }
        join_roles(&mut joined.attention.query_roles, self.attention.query_roles.as_deref());
        join_roles(&mut joined.attention.key_roles, self.attention.key_roles.as_deref());
        joined
    }
}

/// Adds roles to a list whose absence stands for every role.
fn join_roles(kept: &mut Option<Vec<String>>, asked: Option<&[String]>) {
    match (kept.as_mut(), asked) {
        (None, _) => {}
        (Some(_), None) => *kept = None,
        (Some(kept), Some(asked)) => {
            let new: Vec<String> = asked.iter().filter(|role| !kept.contains(role)).cloned().collect();
            kept.extend(new);
        }
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

    #[test]
    fn an_extraction_that_keeps_more_stays_as_it_is() {
        let all = Settings::default();
        let less = Settings {
            hidden_states: vec![HiddenRule { roles: Some(vec!["cue".into()]), pooling: vec![Pooling::Mean] }],
            attention: AttentionRule { query_roles: Some(vec!["final".into()]), key_roles: None },
            ..Settings::default()
        };
        assert_eq!(less.joined_to(&all), all);
        let joined = all.joined_to(&less);
        assert_eq!(joined.poolings("cue"), Pooling::ALL);
        assert_eq!(joined.attention, AttentionRule::default());
        assert_eq!(joined.joined_to(&joined), joined);
        assert_eq!(all.joined_to(&joined), joined, "it is not computed again");
    }

    #[test]
    fn roles_and_poolings_of_both_are_kept() {
        let one = |role: &str, pooling| Settings {
            hidden_states: vec![HiddenRule { roles: Some(vec![role.into()]), pooling: vec![pooling] }],
            attention: AttentionRule {
                query_roles: Some(vec![role.into()]),
                key_roles: Some(vec![role.into()]),
            },
            ..Settings::default()
        };
        let joined = one("a", Pooling::Mean).joined_to(&one("b", Pooling::Last));
        assert_eq!((joined.poolings("a"), joined.poolings("b")), (vec![Pooling::Mean], vec![Pooling::Last]));
        assert!(["a", "b"].iter().all(|r| joined.attention.keeps_query(r) && joined.attention.keeps_key(r)));
        let other_answers = Settings { max_new_tokens: 3, ..one("a", Pooling::Mean) };
        assert_eq!(other_answers.joined_to(&one("b", Pooling::Last)), other_answers);
    }
}

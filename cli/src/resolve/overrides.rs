//! What the command line says in place of a study's extraction settings.

use crate::args::{ChatOption, KeepArgs, OWN_TEMPLATE, PoolingArg};
use crate::failure::Failure;
use hypercolumn_extract::stage::settings::Settings;
use hypercolumn_extract::tokenize::chat::ChatTemplate;
use hypercolumn_schemas::Pooling;

/// `settings` with what the command line says.
///
/// # Errors
/// If that makes no sense.
pub fn override_settings(mut settings: Settings, args: &KeepArgs) -> Result<Settings, Failure> {
    if !args.pooling.is_empty() {
        let chosen: Vec<_> = args.pooling.iter().map(|p| pooling(*p)).collect();
        for rule in &mut settings.hidden_states {
            rule.pooling.clone_from(&chosen);
        }
    }
    if let Some(n) = args.max_new_tokens {
        settings.max_new_tokens = n;
    }
    if let Some(n) = args.n_samples {
        settings.sampling.n_samples = n;
    }
    if let Some(temperature) = args.temperature {
        settings.sampling.temperature = temperature;
    }
    if let Some(top_p) = args.top_p {
        settings.sampling.top_p = top_p;
    }
    if let Some(seed) = args.seed {
        settings.sampling.seed = seed;
    }
    if !args.stop.is_empty() {
        settings.stop.clone_from(&args.stop);
    }
    if let Some(prefix) = &args.answer_prefix {
        settings.answer_prefix = Some(prefix.clone());
    }
    override_template(&mut settings, &args.chat);
    match settings.sampling_problem() {
        None => Ok(settings),
        Some((key, reason)) => {
            let option = format!("--{}", key.replace('_', "-"));
            let failure = Failure::usage(format!("could not use `{option}`")).because(reason);
            Err(failure.hint("for example: --n-samples 10 --temperature 0.7 --top-p 0.95"))
        }
    }
}

/// Puts the chat template of the command line in place of the settings'.
pub(super) fn override_template(settings: &mut Settings, option: &ChatOption) {
    settings.chat_date = option.chat_date.or(settings.chat_date);
    settings.chat_template = match option.chat_template.as_deref() {
        None => return,
        Some("none") => ChatTemplate::None,
        Some(OWN_TEMPLATE) => ChatTemplate::Own,
        Some(name) => ChatTemplate::Named(name.to_owned()),
    };
}

fn pooling(arg: PoolingArg) -> Pooling {
    match arg {
        PoolingArg::Mean => Pooling::Mean,
        PoolingArg::Max => Pooling::Max,
        PoolingArg::Last => Pooling::Last,
    }
}

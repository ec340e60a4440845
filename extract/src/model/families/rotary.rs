//! Rotary angles from a configuration: the base, the rotated part of a head, and the ways of stretching them over a
//! longer context.
//!
//! Older configurations say `rope_theta` and `rope_scaling`, those of transformers 5 `rope_parameters`; both are read.
//! Frequencies are computed in f32 as transformers does, so that both agree at far positions too.
//!
//! Two ways depend on the length of the text: `dynamic` changes the base past `max_position_embeddings`, `longrope` goes
//! over to other factors past `original_max_position_embeddings`. Both are carried out exactly up to that length, and the
//! model's context ends there.

use super::super::architecture::RotaryAngles;
use crate::error::ExtractError;
use crate::model::config::{Config, POSITIVE, is_positive, shown};
use serde_json::{Map, Value};
use std::f64::consts::PI;

/// What transformers takes for absent keys.
#[derive(Clone, Copy, Debug)]
pub struct RotaryDefaults {
    /// The key of the base outside of `rope_parameters`, and its value.
    pub base: (&'static str, f64),
    /// The key of the rotated part of a head, and its value; `None` where whole heads rotate.
    pub partial_rotary_factor: Option<(&'static str, f64)>,
    /// Whether `longrope` goes by other names too, and `original_max_position_embeddings` stands outside (Phi-3).
    pub original_n_ctx: Option<usize>,
}

impl RotaryDefaults {
    /// Base 10,000, whole heads.
    pub const WHOLE_HEAD: Self =
        Self { base: ("rope_theta", 10_000.0), partial_rotary_factor: None, original_n_ctx: None };
}

/// Rotary angles and how far they hold.
pub struct Rotary {
    /// The angles.
    pub angles: RotaryAngles,
    /// Longest text, in tokens.
    pub n_ctx: usize,
}

/// Reads the rotary positions of heads of `head_dim` in a model made for `n_ctx` tokens.
pub fn rotary(
    config: &Config,
    head_dim: usize,
    n_ctx: usize,
    defaults: &RotaryDefaults,
) -> Result<Rotary, ExtractError> {
    let scaling = Scaling::read(config, n_ctx, defaults)?;
    let width = scaling.rotated_width(head_dim, defaults)?;
    let angles = |frequencies, magnitude| RotaryAngles { frequencies, magnitude };
    let plain = scaling.frequencies(width)?;
    let mut rotary = match scaling.kind()? {
        "default" | "dynamic" => Rotary { angles: angles(plain, 1.0), n_ctx },
        "linear" => {
            let factor = scaling.positive("factor")? as f32;
            let frequencies = plain.iter().map(|f| f / factor).collect();
            Rotary { angles: angles(frequencies, 1.0), n_ctx: scaling.stretched_n_ctx()? }
        }
        "llama3" => {
            Rotary { angles: angles(scaling.llama3(&plain)?, 1.0), n_ctx: scaling.stretched_n_ctx()? }
        }
        "yarn" => {
            let (frequencies, magnitude) = scaling.yarn(width)?;
            Rotary { angles: angles(frequencies, magnitude), n_ctx: scaling.stretched_n_ctx()? }
        }
        _ => {
            let (frequencies, magnitude) = scaling.longrope(width)?;
            let n_ctx = n_ctx.min(scaling.original_n_ctx);
            Rotary { angles: angles(frequencies, magnitude), n_ctx }
        }
    };
    divide(config, &mut rotary.angles.frequencies)?;
    let RotaryAngles { frequencies, magnitude } = &rotary.angles;
    if frequencies.iter().chain([magnitude]).any(|v| !v.is_finite()) {
        return Err(config.refuse(format!("`{}` gives angles that are not finite", scaling.key)));
    }
    Ok(rotary)
}

/// Divides by the factors that a GGUF file holds in place of the settings they were computed from.
fn divide(config: &Config, frequencies: &mut [f32]) -> Result<(), ExtractError> {
    let Some(divisors) = &config.rotary_divisors else { return Ok(()) };
    if divisors.len() != frequencies.len() || divisors.iter().any(|d| !d.is_normal() || *d < 0.0) {
        let problem = format!("tensor `rope_freqs.weight` must hold {} positive values", frequencies.len());
        return Err(config.refuse(problem));
    }
    frequencies.iter_mut().zip(divisors).for_each(|(f, d)| *f /= d);
    Ok(())
}

/// `rope_parameters` or `rope_scaling` with the keys that may stand outside of them.
struct Scaling<'a> {
    config: &'a Config,
    key: &'static str,
    values: Map<String, Value>,
    base: f64,
    n_ctx: usize,
    original_n_ctx: usize,
    renames_longrope: bool,
}

impl<'a> Scaling<'a> {
    fn read(config: &'a Config, n_ctx: usize, defaults: &RotaryDefaults) -> Result<Self, ExtractError> {
        let (old, new) = (config.given("rope_scaling"), config.given("rope_parameters"));
        let (key, given) = match (old, new) {
            (Some(_), Some(_)) => {
                return Err(config.refuse("gives both `rope_scaling` and `rope_parameters`; expected one"));
            }
            (Some(old), None) => ("rope_scaling", Some(old)),
            (None, new) => ("rope_parameters", new),
        };
        let values = match given {
            None => Map::new(),
            Some(Value::Object(values)) => values.clone(),
            Some(_) => return Err(config.refuse_value(key, "an object")),
        };
        let base = config.positive_or(defaults.base.0, defaults.base.1)?;
        let mut scaling = Self {
            config,
            key,
            values,
            base,
            n_ctx,
            original_n_ctx: n_ctx,
            renames_longrope: defaults.original_n_ctx.is_some(),
        };
        scaling.base = scaling.positive_or("rope_theta", base)?;
        scaling.original_n_ctx = match defaults.original_n_ctx {
            Some(default) => config.count_or("original_max_position_embeddings", default)?,
            None => match scaling.positive_or("original_max_position_embeddings", n_ctx as f64)? {
                tokens if tokens >= 1.0 => tokens as usize,
                _ => return Err(scaling.refuse("original_max_position_embeddings", "1 or more")),
            },
        };
        scaling.refuse_unknown()?;
        Ok(scaling)
    }

    /// The longest text of angles that do not depend on its length. `max_position_embeddings` is the length before
    /// stretching in some checkpoints and that after it in others; the original length times the factor is the second.
    fn stretched_n_ctx(&self) -> Result<usize, ExtractError> {
        let stretched = self.positive_or("factor", 1.0)? * self.original_n_ctx as f64;
        Ok(self.n_ctx.max(stretched as usize))
    }

    fn kind(&self) -> Result<&'static str, ExtractError> {
        let given = ["rope_type", "type"].iter().find_map(|key| self.values.get(*key));
        let name = given.map_or(Some("default"), Value::as_str);
        match name {
            Some("su" | "yarn") if self.renames_longrope => Ok("longrope"),
            Some("default") => Ok("default"),
            Some("linear") => Ok("linear"),
            Some("dynamic") => Ok("dynamic"),
            Some("llama3") => Ok("llama3"),
            Some("yarn") => Ok("yarn"),
            Some("longrope") => Ok("longrope"),
            _ => {
                Err(self
                    .refuse("rope_type", "`default`, `linear`, `dynamic`, `llama3`, `yarn` or `longrope`"))
            }
        }
    }

    /// Keys that a way of stretching does not have are refused: they might belong to one that is not known here.
    fn refuse_unknown(&self) -> Result<(), ExtractError> {
        let own: &[&str] = match self.kind()? {
            "default" => &[],
            "linear" | "dynamic" => &["factor"],
            "llama3" => &["factor", "low_freq_factor", "high_freq_factor"],
            "yarn" => &[
                "factor",
                "attention_factor",
                "beta_fast",
                "beta_slow",
                "mscale",
                "mscale_all_dim",
                "truncate",
                // Transformers reads neither; `finetuned` is a remark, and `attn_factor` is named `attention_factor` there.
                "attn_factor",
                "finetuned",
            ],
            _ => &["factor", "attention_factor", "short_factor", "long_factor"],
        };
        let shared =
            ["rope_type", "type", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings"];
        let unknown = self.values.iter().find(|(key, value)| {
            !value.is_null() && !own.contains(&key.as_str()) && !shared.contains(&key.as_str())
        });
        match unknown {
            None => Ok(()),
            Some((key, _)) => Err(self.config.refuse(format!(
                "`{}.{key}` is not an option of the rotary type `{}`, which transformers would leave without effect; remove \
                 it if that is meant",
                self.key,
                self.kind()?
            ))),
        }
    }

    fn rotated_width(&self, head_dim: usize, defaults: &RotaryDefaults) -> Result<usize, ExtractError> {
        let partial_rotary_factor = match defaults.partial_rotary_factor {
            Some((key, default)) => {
                self.positive_or("partial_rotary_factor", self.config.positive_or(key, default)?)?
            }
            None => {
                let outside = self.config.positive_or("partial_rotary_factor", 1.0)?;
                self.positive_or("partial_rotary_factor", outside)?
            }
        };
        if defaults.partial_rotary_factor.is_none() && partial_rotary_factor != 1.0 {
            return Err(self.refuse("partial_rotary_factor", "1, since this family rotates whole heads"));
        }
        let width = self.config.rotary_width.unwrap_or((head_dim as f64 * partial_rotary_factor) as usize);
        if defaults.partial_rotary_factor.is_none() && width != head_dim {
            let problem =
                format!("rotates {width} of {head_dim} dimensions; this family rotates whole heads");
            return Err(self.config.refuse(problem));
        }
        // An odd width rounds up to whole pairs.
        if width == 0 || width.div_ceil(2) * 2 > head_dim {
            let problem = format!("rotates {width} dimensions of heads that have {head_dim}");
            return Err(self.config.refuse(problem));
        }
        Ok(width)
    }

    /// 1 / base^(2i/width), unscaled.
    fn frequencies(&self, width: usize) -> Result<Vec<f32>, ExtractError> {
        Ok(self.powers(width).map(|p| 1.0 / p).collect())
    }

    /// base^(2i/width).
    fn powers(&self, width: usize) -> impl Iterator<Item = f32> + use<> {
        let base = self.base as f32;
        (0..width).step_by(2).map(move |i| base.powf(i as f32 / width as f32))
    }

    /// Llama 3.1: long wavelengths are stretched, short ones kept, those between blended.
    fn llama3(&self, plain: &[f32]) -> Result<Vec<f32>, ExtractError> {
        let factor = self.positive("factor")? as f32;
        let low = self.positive("low_freq_factor")?;
        let high = self.positive("high_freq_factor")?;
        if high <= low {
            return Err(self.refuse("high_freq_factor", "more than `low_freq_factor`"));
        }
        let original = self.original_n_ctx as f64;
        let (longest, shortest) = ((original / low) as f32, (original / high) as f32);
        let stretch = |&frequency: &f32| {
            let wavelength = 2.0 * PI as f32 / frequency;
            if wavelength < shortest {
                frequency
            } else if wavelength > longest {
                frequency / factor
            } else {
                let blend = (original as f32 / wavelength - low as f32) / (high - low) as f32;
                (1.0 - blend) * frequency / factor + blend * frequency
            }
        };
        Ok(plain.iter().map(stretch).collect())
    }

    /// YaRN (Peng et al. 2023): as `llama3` with a ramp over dimensions, and cosines and sines enlarged.
    fn yarn(&self, width: usize) -> Result<(Vec<f32>, f32), ExtractError> {
        let implied = self.n_ctx as f64 / self.original_n_ctx as f64;
        let factor = self.positive_or("factor", implied)?;
        let magnitude = match self.optional("attention_factor")? {
            Some(given) => given,
            None => match (self.optional("mscale")?, self.optional("mscale_all_dim")?) {
                (Some(one), Some(all)) => yarn_magnitude(factor, one) / yarn_magnitude(factor, all),
                _ => yarn_magnitude(factor, 1.0),
            },
        };
        let truncates = match self.values.get("truncate") {
            None | Some(Value::Null) => true,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => return Err(self.refuse("truncate", "true or false")),
        };
        let dimension = |turns: f64| {
            let ratio = self.original_n_ctx as f64 / (turns * 2.0 * PI);
            width as f64 * ratio.ln() / (2.0 * self.base.ln())
        };
        let low = dimension(self.positive_or("beta_fast", 32.0)?);
        let high = dimension(self.positive_or("beta_slow", 1.0)?);
        let (low, high) = if truncates { (low.floor(), high.ceil()) } else { (low, high) };
        let (low, high) = (low.max(0.0), high.min(width as f64 - 1.0));
        let high = if low == high { high + 0.001 } else { high };
        let blend = |(i, power): (usize, f32)| {
            let ramp = ((i as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0);
            let kept = 1.0 - ramp;
            1.0 / (factor as f32 * power) * (1.0 - kept) + 1.0 / power * kept
        };
        Ok((self.powers(width).enumerate().map(blend).collect(), magnitude as f32))
    }

    /// LongRoPE (Ding et al. 2024) for texts up to the original context: a factor for each pair.
    fn longrope(&self, width: usize) -> Result<(Vec<f32>, f32), ExtractError> {
        let original = self.original_n_ctx as f64;
        let factor = self.positive_or("factor", self.n_ctx as f64 / original)?;
        let magnitude = match self.optional("attention_factor")? {
            Some(given) => given,
            None if factor <= 1.0 => 1.0,
            None => (1.0 + factor.ln() / original.ln()).sqrt(),
        };
        let n_pairs = width.div_ceil(2);
        let factors = self.values.get("short_factor").and_then(Value::as_array);
        let factors: Option<Vec<f32>> = factors
            .filter(|f| f.len() == n_pairs)
            .and_then(|f| f.iter().map(|v| v.as_f64().filter(|v| *v > 0.0).map(|v| v as f32)).collect());
        let Some(factors) = factors else {
            return Err(self.refuse("short_factor", &format!("{n_pairs} positive numbers")));
        };
        let frequencies = self.powers(width).zip(factors).map(|(p, f)| 1.0 / (f * p)).collect();
        Ok((frequencies, magnitude as f32))
    }

    fn optional(&self, key: &'static str) -> Result<Option<f64>, ExtractError> {
        match self.values.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64().filter(is_positive) {
                Some(number) => Ok(Some(number)),
                None => Err(self.refuse(key, POSITIVE)),
            },
        }
    }

    fn positive_or(&self, key: &'static str, default: f64) -> Result<f64, ExtractError> {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    fn positive(&self, key: &'static str) -> Result<f64, ExtractError> {
        self.optional(key)?.ok_or_else(|| self.refuse(key, POSITIVE))
    }

    fn refuse(&self, key: &str, accepted: &str) -> ExtractError {
        let found = self.values.get(key).map_or_else(|| "absent".to_owned(), shown);
        self.config.refuse(format!("`{}.{key}` is {found}; expected {accepted}", self.key))
    }
}

fn yarn_magnitude(factor: f64, scale: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 }
}

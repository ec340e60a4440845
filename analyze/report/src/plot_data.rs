//! Plots as JSON inside the page, and texts inside plots. Task names, conditions and prompts are the user's data and
//! may hold anything.

use maud::Render;

/// A plot's JSON, which a `<script>` element holds. Rendering leaves no character that could end the element or the
/// line of a script; the JSON's values stay the same.
#[derive(Clone, Debug)]
pub(super) struct PlotData(String);

impl PlotData {
    /// The traces and the layout of `plot`.
    pub(super) fn of(plot: &plotly::Plot) -> Self {
        Self(plot.to_json())
    }
}

impl Render for PlotData {
    fn render_to(&self, buffer: &mut String) {
        for character in self.0.chars() {
            match character {
                '<' => buffer.push_str("\\u003c"),
                '>' => buffer.push_str("\\u003e"),
                '&' => buffer.push_str("\\u0026"),
                '\u{2028}' => buffer.push_str("\\u2028"),
                '\u{2029}' => buffer.push_str("\\u2029"),
                c => buffer.push(c),
            }
        }
    }
}

/// `text` for plotly's labels and hover texts, in which plotly reads some tags and would make links of them.
pub(super) fn plot_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plot_data_cannot_end_its_script_element() {
        let text = "</script><!--\u{2028}\u{2029}&";
        let rendered = PlotData(serde_json::json!({ "a": text }).to_string()).render().into_string();
        assert!(!rendered.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{rendered}");
        let value: serde_json::Value = serde_json::from_str(&rendered).expect("JSON");
        assert_eq!(value["a"], text);
        assert_eq!(plot_text("<a href='x'>&"), "&lt;a href='x'&gt;&amp;");
    }
}

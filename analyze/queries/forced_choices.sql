-- grain: one prompt of task $2 and metric, of prompts that model $1 has read and whose expected answer is a candidate.
-- Which candidate is likeliest, by the sum of its log-probability and by that sum per token and per character?
-- A tie between candidates counts as the share of the tied that are right.
WITH scores AS (
    SELECT
        prompt_id, text, is_expected,
        unnest([
            {place: 0, metric: 'forced_choice', score: logprob::DOUBLE},
            {place: 1, metric: 'forced_choice_per_token', score: logprob::DOUBLE / n_tokens},
            {place: 2, metric: 'forced_choice_per_character', score: logprob::DOUBLE / greatest(length(text), 1)}
        ], recursive := true)
    FROM choices
    WHERE model = $1::VARCHAR AND task = $2::VARCHAR
),
ranked AS (
    SELECT
        *,
        rank() OVER (PARTITION BY prompt_id, metric ORDER BY score DESC) AS rank,
        bool_or(is_expected) OVER (PARTITION BY prompt_id) AS has_expected
    FROM scores
)
SELECT prompt_id, metric, min(text) AS choice, avg(is_expected::INTEGER) AS is_right
FROM ranked
WHERE rank = 1 AND has_expected
GROUP BY prompt_id, place, metric
ORDER BY prompt_id, place

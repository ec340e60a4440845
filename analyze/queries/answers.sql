-- grain: one prompt of task $2 that model $1 has answered.
-- What was answered, what was expected, how likely was it, and which candidate was likeliest?
-- A tie between candidates counts as the share of the tied that are right.
WITH ranked AS (
    SELECT
        prompt_id, text, is_expected,
        rank() OVER (PARTITION BY prompt_id ORDER BY logprob DESC) AS place,
        bool_or(is_expected) OVER (PARTITION BY prompt_id) AS has_expected
    FROM choices
    WHERE model = $1::VARCHAR AND task = $2::VARCHAR
),
likeliest AS (
    SELECT prompt_id, min(text) AS choice, avg(is_expected::INTEGER) AS is_right
    FROM ranked
    WHERE place = 1 AND has_expected
    GROUP BY prompt_id
)
SELECT p.prompt_id, p.expected, r.response, r.expected_logprob, l.choice, l.is_right
FROM responses AS r
JOIN prompts AS p ON p.task = r.task AND p.prompt_id = r.prompt_id
LEFT JOIN likeliest AS l ON l.prompt_id = r.prompt_id
WHERE r.model = $1::VARCHAR AND r.task = $2::VARCHAR
ORDER BY p.prompt_id

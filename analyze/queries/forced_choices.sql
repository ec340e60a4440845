-- grain: one prompt of task $2 and metric, of prompts that model $1 has read and whose expected answer is a candidate.
-- Which candidate is likeliest, by the sum of its log-probability, by that sum per token and per character, and by what it gains
-- over the same candidate of the same item in condition $3 (pointwise mutual information; no rows where $3 is null)?
-- A tie between candidates counts as the share of the tied that are right.
WITH candidates AS (
    SELECT c.prompt_id, p.item_id, p.condition, c.text, c.n_tokens, c.logprob::DOUBLE AS logprob, c.is_expected
    FROM choices AS c
    JOIN prompts AS p ON p.task = c.task AND p.prompt_id = c.prompt_id
    WHERE c.model = $1::VARCHAR AND c.task = $2::VARCHAR
),
baseline AS (
    SELECT item_id, text, avg(logprob ORDER BY prompt_id) AS logprob
    FROM candidates
    WHERE condition = $3::VARCHAR
    GROUP BY item_id, text
),
scores AS (
    SELECT
        c.prompt_id, c.text, c.is_expected,
        unnest([
            {place: 0, metric: 'forced_choice', score: c.logprob},
            {place: 1, metric: 'forced_choice_per_token', score: c.logprob / c.n_tokens},
            {place: 2, metric: 'forced_choice_per_character', score: c.logprob / greatest(length(c.text), 1)},
            {place: 3, metric: 'forced_choice_pmi',
             score: CASE WHEN c.condition <> $3::VARCHAR THEN c.logprob - b.logprob END}
        ], recursive := true)
    FROM candidates AS c
    LEFT JOIN baseline AS b ON b.item_id = c.item_id AND b.text = c.text
),
ranked AS (
    SELECT
        *,
        rank() OVER (PARTITION BY prompt_id, metric ORDER BY score DESC) AS rank,
        bool_or(is_expected) OVER (PARTITION BY prompt_id) AS has_expected,
        bool_and(score IS NOT NULL) OVER (PARTITION BY prompt_id, metric) AS is_complete
    FROM scores
)
SELECT prompt_id, metric, min(text) AS choice, avg(is_expected::INTEGER) AS is_right
FROM ranked
WHERE rank = 1 AND has_expected AND is_complete
GROUP BY prompt_id, place, metric
ORDER BY prompt_id, place

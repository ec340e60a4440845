-- grain: one prompt, layer, head and key segment of model $1 on task $2.
-- How much attention goes from the query segments to each picked key segment?
-- picked_segments lists each prompt's segments that were picked: part, and the tokens of a segment.
-- A query of several segments is the mean over all of their tokens.
WITH queries AS (
    SELECT prompt_id, segment, n_tokens, sum(n_tokens) OVER (PARTITION BY prompt_id) AS n_all
    FROM picked_segments
    WHERE part = 'query'
),
keys AS (
    SELECT DISTINCT prompt_id, segment FROM picked_segments WHERE part <> 'query'
)
SELECT
    a.prompt_id,
    a.layer,
    a.head,
    a.key_segment,
    sum(a.mass::DOUBLE * q.n_tokens / q.n_all ORDER BY q.segment) AS mass
FROM attention AS a
JOIN queries AS q ON q.prompt_id = a.prompt_id AND q.segment = a.query_segment
JOIN keys AS k ON k.prompt_id = a.prompt_id AND k.segment = a.key_segment
WHERE a.model = $1::VARCHAR AND a.task = $2::VARCHAR
GROUP BY a.prompt_id, a.layer, a.head, a.key_segment
ORDER BY a.layer, a.prompt_id, a.head, a.key_segment

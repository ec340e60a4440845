-- grain: one segment of a prompt of task $2 as model $1 reads it: the whole prompt (0), the given ones,
-- the last token (n + 1), the response (n + 2) and the first token (n + 3).
-- Which segments are there, how many tokens has each, and does it hold the prompt's first?
-- A token belongs to a segment that holds its first character that is not space (its first character, if
-- all are space); a token without text belongs to none.
WITH texts AS (
    SELECT prompt_id, text FROM prompts WHERE task = $2::VARCHAR
),
read_tokens AS (
    SELECT prompt_id, position, start, "end", is_response
    FROM tokens
    WHERE model = $1::VARCHAR AND task = $2::VARCHAR
),
anchors AS (
    SELECT
        t.prompt_id,
        t.position,
        t.start + CASE
            WHEN n_space = t."end" - t.start THEN 0
            ELSE n_space
        END AS anchor
    FROM (
        SELECT
            r.*,
            length(regexp_extract(substring(p.text, r.start + 1, r."end" - r.start), '^[\s\x0b\x{85}\p{Z}]*'))
                AS n_space
        FROM read_tokens AS r
        JOIN texts AS p ON p.prompt_id = r.prompt_id
        WHERE NOT r.is_response AND r."end" > r.start
    ) AS t
),
given AS (
    SELECT prompt_id, segment, role, start, "end" FROM segments WHERE task = $2::VARCHAR
),
n_given AS (
    SELECT p.prompt_id, coalesce(max(g.segment), 0) AS n
    FROM texts AS p
    LEFT JOIN given AS g ON g.prompt_id = p.prompt_id
    GROUP BY p.prompt_id
)
SELECT prompt_id, 0 AS segment, 'prompt' AS role, count(*) AS n_tokens, bool_or(position = 0) AS holds_first
FROM anchors
GROUP BY prompt_id
UNION ALL
SELECT g.prompt_id, g.segment, g.role, count(a.anchor), bool_or(a.position = 0)
FROM given AS g
JOIN anchors AS a ON a.prompt_id = g.prompt_id AND a.anchor >= g.start AND a.anchor < g."end"
GROUP BY g.prompt_id, g.segment, g.role
UNION ALL
SELECT n.prompt_id, n.n + own.number, own.role, 1, own.holds_first OR n.prompt_id IN (
    SELECT prompt_id FROM read_tokens WHERE NOT is_response GROUP BY prompt_id HAVING count(*) = 1
)
FROM n_given AS n
CROSS JOIN (VALUES (1, 'final', false), (3, 'first_token', true)) AS own (number, role, holds_first)
WHERE n.prompt_id IN (SELECT prompt_id FROM read_tokens WHERE NOT is_response)
UNION ALL
SELECT r.prompt_id, any_value(n.n) + 2, 'response', count(*), false
FROM read_tokens AS r
JOIN n_given AS n ON n.prompt_id = r.prompt_id
WHERE r.is_response
GROUP BY r.prompt_id

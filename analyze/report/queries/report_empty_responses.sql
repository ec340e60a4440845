-- grain: one condition of a task in which a response is empty.
-- How many responses have no visible character?
SELECT
    p.condition,
    count(*) FILTER (WHERE NOT regexp_matches(r.response, '[^\s\p{Z}]')) AS n_empty,
    count(*) AS n_responses
FROM responses AS r
JOIN prompts AS p ON p.task = r.task AND p.prompt_id = r.prompt_id
WHERE r.model = $model AND r.task = $task
GROUP BY p.condition
HAVING n_empty > 0
ORDER BY p.condition

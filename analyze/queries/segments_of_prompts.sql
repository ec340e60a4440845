-- grain: one segment of a prompt of task $task: the whole prompt (0), the given ones, the last token (n + 1), the
-- response (n + 2) and the first token (n + 3).
-- Which segments can there be, before a model has read the prompts?
SELECT prompt_id, segment, role FROM segments WHERE task = $task
UNION ALL
SELECT p.prompt_id, own.number + CASE WHEN own.number = 0 THEN 0 ELSE coalesce(g.n, 0) END, own.role
FROM prompts AS p
LEFT JOIN (SELECT prompt_id, max(segment) AS n FROM segments WHERE task = $task GROUP BY prompt_id) AS g
    ON g.prompt_id = p.prompt_id
CROSS JOIN (VALUES (0, 'prompt'), (1, 'final'), (2, 'response'), (3, 'first_token')) AS own (number, role)
WHERE p.task = $task

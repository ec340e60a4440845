-- grain: one condition.
-- How often would a guess among a prompt's candidates be right?
SELECT p.condition, avg(1.0 / c.n_choices) AS chance
FROM (
    SELECT prompt_id, count(*) AS n_choices
    FROM choices
    WHERE model = $model AND task = $task
    GROUP BY ALL
) AS c
JOIN prompts AS p ON p.task = $task AND p.prompt_id = c.prompt_id
GROUP BY ALL
ORDER BY ALL

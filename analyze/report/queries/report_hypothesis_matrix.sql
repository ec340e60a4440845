-- grain: one pair of prompts of one condition.
-- What does the hypothesis say of each pair? $expression is the study's own SQL over prompts a and b, in parentheses.
SELECT a.item_id AS item_a, b.item_id AS item_b, CAST($expression AS DOUBLE) AS value
FROM prompt_params AS a, prompt_params AS b
WHERE a.task = $task AND b.task = $task
    AND a.condition = $condition AND b.condition = $condition
    AND a.item_id <> b.item_id
ORDER BY a.item_id, b.item_id

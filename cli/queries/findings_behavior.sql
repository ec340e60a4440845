-- Grain: task × metric × condition. How good the answers of one model are.
SELECT
    b.task,
    b.metric,
    b.condition,
    count(b.score) AS answers,
    count(*) - count(b.score) AS unreadable,
    round(avg(b.score), 3) AS mean,
    round(median(b.score), 3) AS median
FROM behavior AS b
JOIN prompts AS p USING (task, prompt_id)
WHERE b.study = $study AND b.model = $model AND list_contains(from_json($tasks, '["VARCHAR"]'), b.task)
GROUP BY b.task, b.metric, b.condition
ORDER BY b.task, b.metric, min(p.n_examples), b.condition

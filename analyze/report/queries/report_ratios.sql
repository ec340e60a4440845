-- grain: one attention ratio of one task.
-- Which attention ratios have results?
SELECT DISTINCT task, name, query, relevant, irrelevant
FROM attention_ratios
WHERE study = $study AND model = $model
ORDER BY task, query, relevant, irrelevant, name

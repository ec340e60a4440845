-- grain: one behaviour metric of one task.
-- Which behaviour metrics have associations?
SELECT DISTINCT task, behavior_metric
FROM associations
WHERE study = $study AND model = $model
ORDER BY task, behavior_metric

-- grain: one probe target of one task.
-- Which targets have results?
SELECT DISTINCT task, target
FROM probes
WHERE study = $study AND model = $model
ORDER BY task, target

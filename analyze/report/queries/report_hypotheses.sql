-- grain: one hypothesis of one task.
-- Which hypotheses have results, and how large is the largest change of alignment?
SELECT task, hypothesis, max(abs(change)) AS largest_change
FROM rsa
WHERE study = $study AND model = $model
GROUP BY ALL
ORDER BY task, largest_change DESC NULLS LAST, hypothesis

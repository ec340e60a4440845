-- grain: one comparison.
-- How were similarities compared with the hypotheses?
SELECT DISTINCT comparison
FROM rsa
WHERE study = $study AND model = $model
ORDER BY comparison

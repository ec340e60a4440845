-- grain: one comparison.
-- How were similarities compared with the hypotheses?
SELECT DISTINCT comparison
FROM rsa
WHERE model = $model
ORDER BY comparison

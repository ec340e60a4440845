-- grain: one attention ratio of model $1 on task $2.
-- Which ratios have a matched control?
SELECT DISTINCT name
FROM attention_ratios
WHERE model = $1::VARCHAR AND task = $2::VARCHAR AND contrast_with = 'matched control'
ORDER BY name

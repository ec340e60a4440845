SELECT * FROM read_text('{secret}')
SELECT * FROM read_text('{listed}')
WITH f AS (FROM read_text('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_text('{secret}')
SELECT * FROM read_blob('{secret}')
SELECT * FROM read_blob('{listed}')
WITH f AS (FROM read_blob('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_blob('{secret}')
SELECT * FROM read_csv('{secret}')
SELECT * FROM read_csv('{listed}')
WITH f AS (FROM read_csv('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_csv('{secret}')
SELECT * FROM read_csv_auto('{secret}')
SELECT * FROM read_csv_auto('{listed}')
WITH f AS (FROM read_csv_auto('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_csv_auto('{secret}')
SELECT * FROM read_json('{secret}')
SELECT * FROM read_json('{listed}')
WITH f AS (FROM read_json('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_json('{secret}')
SELECT * FROM read_json_auto('{secret}')
SELECT * FROM read_json_auto('{listed}')
WITH f AS (FROM read_json_auto('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_json_auto('{secret}')
SELECT * FROM read_json_objects('{secret}')
SELECT * FROM read_json_objects('{listed}')
WITH f AS (FROM read_json_objects('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_json_objects('{secret}')
SELECT * FROM read_json_objects_auto('{secret}')
SELECT * FROM read_json_objects_auto('{listed}')
WITH f AS (FROM read_json_objects_auto('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_json_objects_auto('{secret}')
SELECT * FROM read_ndjson('{secret}')
SELECT * FROM read_ndjson('{listed}')
WITH f AS (FROM read_ndjson('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_ndjson('{secret}')
SELECT * FROM read_ndjson_auto('{secret}')
SELECT * FROM read_ndjson_auto('{listed}')
WITH f AS (FROM read_ndjson_auto('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_ndjson_auto('{secret}')
SELECT * FROM read_ndjson_objects('{secret}')
SELECT * FROM read_ndjson_objects('{listed}')
WITH f AS (FROM read_ndjson_objects('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_ndjson_objects('{secret}')
SELECT * FROM read_parquet('{secret}')
SELECT * FROM read_parquet('{listed}')
WITH f AS (FROM read_parquet('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_parquet('{secret}')
SELECT * FROM parquet_scan('{secret}')
SELECT * FROM parquet_scan('{listed}')
WITH f AS (FROM parquet_scan('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM parquet_scan('{secret}')
SELECT * FROM parquet_schema('{secret}')
SELECT * FROM parquet_schema('{listed}')
WITH f AS (FROM parquet_schema('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM parquet_schema('{secret}')
SELECT * FROM parquet_metadata('{secret}')
SELECT * FROM parquet_metadata('{listed}')
WITH f AS (FROM parquet_metadata('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM parquet_metadata('{secret}')
SELECT * FROM parquet_file_metadata('{secret}')
SELECT * FROM parquet_file_metadata('{listed}')
WITH f AS (FROM parquet_file_metadata('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM parquet_file_metadata('{secret}')
SELECT * FROM parquet_kv_metadata('{secret}')
SELECT * FROM parquet_kv_metadata('{listed}')
WITH f AS (FROM parquet_kv_metadata('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM parquet_kv_metadata('{secret}')
SELECT * FROM parquet_full_metadata('{secret}')
SELECT * FROM parquet_full_metadata('{listed}')
WITH f AS (FROM parquet_full_metadata('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM parquet_full_metadata('{secret}')
SELECT * FROM sniff_csv('{secret}')
SELECT * FROM sniff_csv('{listed}')
WITH f AS (FROM sniff_csv('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM sniff_csv('{secret}')
SELECT * FROM glob('{secret}')
SELECT * FROM glob('{listed}')
WITH f AS (FROM glob('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM glob('{secret}')
SELECT * FROM read_duckdb('{secret}')
SELECT * FROM read_duckdb('{listed}')
WITH f AS (FROM read_duckdb('{secret}')) SELECT * FROM f
EXPLAIN ANALYZE SELECT * FROM read_duckdb('{secret}')
SELECT (SELECT count(*) FROM read_text('{secret}'))
SELECT 1 WHERE EXISTS (FROM read_text('{secret}'))
SELECT * FROM prompts, LATERAL (SELECT * FROM read_text('{secret}'))
SELECT * FROM "read_text"('{secret}')
SELECT * FROM READ_TEXT('{secret}')
SELECT * FROM main.read_text('{secret}')
SELECT * FROM system.main.read_text('{secret}')
SELECT 1 UNION ALL SELECT count(*) FROM read_text('{secret}')
DESCRIBE SELECT * FROM read_text('{secret}')
SUMMARIZE FROM read_text('{secret}')
SELECT * FROM /* ) */ read_text('{secret}') -- x
EXPLAIN (FORMAT json) SELECT * FROM read_text('{secret}')
SELECT (SELECT count(*) FROM read_blob('{secret}'))
SELECT 1 WHERE EXISTS (FROM read_blob('{secret}'))
SELECT * FROM prompts, LATERAL (SELECT * FROM read_blob('{secret}'))
SELECT * FROM "read_blob"('{secret}')
SELECT * FROM READ_BLOB('{secret}')
SELECT * FROM main.read_blob('{secret}')
SELECT * FROM system.main.read_blob('{secret}')
SELECT 1 UNION ALL SELECT count(*) FROM read_blob('{secret}')
DESCRIBE SELECT * FROM read_blob('{secret}')
SUMMARIZE FROM read_blob('{secret}')
SELECT * FROM /* ) */ read_blob('{secret}') -- x
EXPLAIN (FORMAT json) SELECT * FROM read_blob('{secret}')
SELECT (SELECT count(*) FROM read_csv('{secret}'))
SELECT 1 WHERE EXISTS (FROM read_csv('{secret}'))
SELECT * FROM prompts, LATERAL (SELECT * FROM read_csv('{secret}'))
SELECT * FROM "read_csv"('{secret}')
SELECT * FROM READ_CSV('{secret}')
SELECT * FROM main.read_csv('{secret}')
SELECT * FROM system.main.read_csv('{secret}')
SELECT 1 UNION ALL SELECT count(*) FROM read_csv('{secret}')
DESCRIBE SELECT * FROM read_csv('{secret}')
SUMMARIZE FROM read_csv('{secret}')
SELECT * FROM /* ) */ read_csv('{secret}') -- x
EXPLAIN (FORMAT json) SELECT * FROM read_csv('{secret}')
SELECT (SELECT count(*) FROM read_csv_auto('{secret}'))
SELECT 1 WHERE EXISTS (FROM read_csv_auto('{secret}'))
SELECT * FROM prompts, LATERAL (SELECT * FROM read_csv_auto('{secret}'))
SELECT * FROM "read_csv_auto"('{secret}')
SELECT * FROM READ_CSV_AUTO('{secret}')
SELECT * FROM main.read_csv_auto('{secret}')
SELECT * FROM system.main.read_csv_auto('{secret}')
SELECT 1 UNION ALL SELECT count(*) FROM read_csv_auto('{secret}')
DESCRIBE SELECT * FROM read_csv_auto('{secret}')
SUMMARIZE FROM read_csv_auto('{secret}')
SELECT * FROM /* ) */ read_csv_auto('{secret}') -- x
EXPLAIN (FORMAT json) SELECT * FROM read_csv_auto('{secret}')
SELECT (SELECT count(*) FROM read_json('{secret}'))
SELECT 1 WHERE EXISTS (FROM read_json('{secret}'))
SELECT * FROM prompts, LATERAL (SELECT * FROM read_json('{secret}'))
SELECT * FROM "read_json"('{secret}')
SELECT * FROM READ_JSON('{secret}')
SELECT * FROM main.read_json('{secret}')
SELECT * FROM system.main.read_json('{secret}')
SELECT 1 UNION ALL SELECT count(*) FROM read_json('{secret}')
DESCRIBE SELECT * FROM read_json('{secret}')
SUMMARIZE FROM read_json('{secret}')
SELECT * FROM /* ) */ read_json('{secret}') -- x
EXPLAIN (FORMAT json) SELECT * FROM read_json('{secret}')
SELECT (SELECT count(*) FROM read_json_auto('{secret}'))
SELECT 1 WHERE EXISTS (FROM read_json_auto('{secret}'))
SELECT * FROM prompts, LATERAL (SELECT * FROM read_json_auto('{secret}'))
SELECT * FROM "read_json_auto"('{secret}')
SELECT * FROM READ_JSON_AUTO('{secret}')
SELECT * FROM main.read_json_auto('{secret}')
SELECT * FROM system.main.read_json_auto('{secret}')
SELECT 1 UNION ALL SELECT count(*) FROM read_json_auto('{secret}')
DESCRIBE SELECT * FROM read_json_auto('{secret}')
SUMMARIZE FROM read_json_auto('{secret}')
SELECT * FROM /* ) */ read_json_auto('{secret}') -- x
EXPLAIN (FORMAT json) SELECT * FROM read_json_auto('{secret}')
SELECT * FROM '{secret}'
FROM '{secret}' SELECT 1
DESCRIBE '{secret}'
SUMMARIZE '{secret}'
SELECT (SELECT count(*) FROM '{secret}')
WITH a AS (FROM '{secret}') FROM a
SELECT * FROM "{secret}"
FROM "{secret}" SELECT 1
DESCRIBE "{secret}"
SUMMARIZE "{secret}"
SELECT (SELECT count(*) FROM "{secret}")
WITH a AS (FROM "{secret}") FROM a
SELECT * FROM '{listed}'
FROM '{listed}' SELECT 1
DESCRIBE '{listed}'
SUMMARIZE '{listed}'
SELECT (SELECT count(*) FROM '{listed}')
WITH a AS (FROM '{listed}') FROM a
SELECT * FROM "{listed}"
FROM "{listed}" SELECT 1
DESCRIBE "{listed}"
SUMMARIZE "{listed}"
SELECT (SELECT count(*) FROM "{listed}")
WITH a AS (FROM "{listed}") FROM a
SELECT * FROM '/etc/passwd'
FROM '/etc/passwd' SELECT 1
DESCRIBE '/etc/passwd'
SUMMARIZE '/etc/passwd'
SELECT (SELECT count(*) FROM '/etc/passwd')
WITH a AS (FROM '/etc/passwd') FROM a
SELECT * FROM '../*'
FROM '../*' SELECT 1
DESCRIBE '../*'
SUMMARIZE '../*'
SELECT (SELECT count(*) FROM '../*')
WITH a AS (FROM '../*') FROM a
SELECT * FROM 'file:///etc/passwd'
FROM 'file:///etc/passwd' SELECT 1
DESCRIBE 'file:///etc/passwd'
SUMMARIZE 'file:///etc/passwd'
SELECT (SELECT count(*) FROM 'file:///etc/passwd')
WITH a AS (FROM 'file:///etc/passwd') FROM a
SELECT * FROM 'http://127.0.0.1:9/x.csv'
FROM 'http://127.0.0.1:9/x.csv' SELECT 1
DESCRIBE 'http://127.0.0.1:9/x.csv'
SUMMARIZE 'http://127.0.0.1:9/x.csv'
SELECT (SELECT count(*) FROM 'http://127.0.0.1:9/x.csv')
WITH a AS (FROM 'http://127.0.0.1:9/x.csv') FROM a
SELECT * FROM 's3://b/x.parquet'
FROM 's3://b/x.parquet' SELECT 1
DESCRIBE 's3://b/x.parquet'
SUMMARIZE 's3://b/x.parquet'
SELECT (SELECT count(*) FROM 's3://b/x.parquet')
WITH a AS (FROM 's3://b/x.parquet') FROM a
SELECT * FROM '*.parquet'
FROM '*.parquet' SELECT 1
DESCRIBE '*.parquet'
SUMMARIZE '*.parquet'
SELECT (SELECT count(*) FROM '*.parquet')
WITH a AS (FROM '*.parquet') FROM a
SELECT * FROM query('SELECT 1')
SELECT * FROM query('COPY (SELECT 1) TO ''{outside}''')
SELECT * FROM query_table(['prompts'])
SELECT * FROM query_table('responses')
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))
SELECT * FROM checkpoint()
SELECT * FROM force_checkpoint()
SELECT * FROM enable_logging()
SELECT * FROM enable_logging(storage := 'file', storage_path := '{outside}')
SELECT * FROM enable_profiling()
SELECT * FROM enable_profiling(save_location := '{outside}')
SELECT * FROM disable_logging()
SELECT * FROM truncate_duckdb_logs()
SELECT * FROM enable_peg_parser()
SELECT * FROM disable_peg_parser()
SELECT * FROM disable_profiling()
SELECT * FROM duckdb_secrets()
SELECT * FROM which_secret('{secret}', 'http')
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_extensions()
SELECT * FROM sql_auto_complete('SEL')
SELECT * FROM test_all_types()
SELECT * FROM arrow_scan(1,2,3)
SELECT * FROM seq_scan()
SELECT * FROM pragma_storage_info('prompts')
SELECT * FROM pragma_database_size()
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_databases()
SELECT * FROM parquet_bloom_probe('{listed}', 'x', 1)
SELECT write_log('x')
SELECT current_setting('temp_directory')
SELECT getvariable('x')
SELECT nextval('s')
SELECT write_log('x', scope := 'database') FROM prompts
SELECT max(write_log(text)) FROM prompts
COPY (SELECT 42 AS x) TO '{outside}'
EXPLAIN ANALYZE COPY (SELECT 42 AS x) TO '{outside}'
EXPLAIN (ANALYZE) COPY (SELECT 42 AS x) TO '{outside}'
EXPLAIN (FORMAT json, ANALYZE) COPY (SELECT 42 AS x) TO '{outside}'
SELECT 1; COPY (SELECT 42 AS x) TO '{outside}'
COPY (SELECT 42 AS x) TO '{outside}'; SELECT 1
COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN ANALYZE COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN (ANALYZE) COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN (FORMAT json, ANALYZE) COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
SELECT 1; COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet); SELECT 1
COPY prompts TO '{outside}' (FORMAT csv)
EXPLAIN ANALYZE COPY prompts TO '{outside}' (FORMAT csv)
EXPLAIN (ANALYZE) COPY prompts TO '{outside}' (FORMAT csv)
EXPLAIN (FORMAT json, ANALYZE) COPY prompts TO '{outside}' (FORMAT csv)
SELECT 1; COPY prompts TO '{outside}' (FORMAT csv)
COPY prompts TO '{outside}' (FORMAT csv); SELECT 1
COPY (SELECT 1) TO '{outside}' (FORMAT json)
EXPLAIN ANALYZE COPY (SELECT 1) TO '{outside}' (FORMAT json)
EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{outside}' (FORMAT json)
EXPLAIN (FORMAT json, ANALYZE) COPY (SELECT 1) TO '{outside}' (FORMAT json)
SELECT 1; COPY (SELECT 1) TO '{outside}' (FORMAT json)
COPY (SELECT 1) TO '{outside}' (FORMAT json); SELECT 1
EXPLAIN (FORMAT json /*)SELECT 1 --*/, ANALYZE) COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN (/*)*/ANALYZE) COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN (FORMAT /*)SELECT 1*/ json, ANALYZE) COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN /* ANALYZE SELECT 1 */ ANALYZE COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN ANALYZE /* SELECT 1; */ COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN --\nANALYZE COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN (FORMAT 'json)SELECT 1 --', ANALYZE) COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN ANALYZE SELECT 1; COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN SELECT 1; COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN EXPLAIN ANALYZE COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
WITH a AS (SELECT 1) COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
SELECT 1 /* /* */ */; COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
SELECT $$a$$; COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
SELECT '--'; COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
SELECT E'\''; COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
SELECT "a--"; COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
FROM prompts; COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
PREPARE p AS COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN (ANALYZE TRUE) COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN(ANALYZE)COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
EXPLAIN (FORMAT json) (ANALYZE) COPY (SELECT 42 AS x) TO '{outside}' (FORMAT parquet)
COPY (SELECT 42 AS x) TO '{listed}'
EXPLAIN ANALYZE COPY (SELECT 42 AS x) TO '{listed}'
EXPLAIN (ANALYZE) COPY (SELECT 42 AS x) TO '{listed}'
EXPLAIN (FORMAT json, ANALYZE) COPY (SELECT 42 AS x) TO '{listed}'
SELECT 1; COPY (SELECT 42 AS x) TO '{listed}'
COPY (SELECT 42 AS x) TO '{listed}'; SELECT 1
COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN ANALYZE COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN (ANALYZE) COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN (FORMAT json, ANALYZE) COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
SELECT 1; COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet); SELECT 1
COPY prompts TO '{listed}' (FORMAT csv)
EXPLAIN ANALYZE COPY prompts TO '{listed}' (FORMAT csv)
EXPLAIN (ANALYZE) COPY prompts TO '{listed}' (FORMAT csv)
EXPLAIN (FORMAT json, ANALYZE) COPY prompts TO '{listed}' (FORMAT csv)
SELECT 1; COPY prompts TO '{listed}' (FORMAT csv)
COPY prompts TO '{listed}' (FORMAT csv); SELECT 1
COPY (SELECT 1) TO '{listed}' (FORMAT json)
EXPLAIN ANALYZE COPY (SELECT 1) TO '{listed}' (FORMAT json)
EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{listed}' (FORMAT json)
EXPLAIN (FORMAT json, ANALYZE) COPY (SELECT 1) TO '{listed}' (FORMAT json)
SELECT 1; COPY (SELECT 1) TO '{listed}' (FORMAT json)
COPY (SELECT 1) TO '{listed}' (FORMAT json); SELECT 1
EXPLAIN (FORMAT json /*)SELECT 1 --*/, ANALYZE) COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN (/*)*/ANALYZE) COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN (FORMAT /*)SELECT 1*/ json, ANALYZE) COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN /* ANALYZE SELECT 1 */ ANALYZE COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN ANALYZE /* SELECT 1; */ COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN --\nANALYZE COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN (FORMAT 'json)SELECT 1 --', ANALYZE) COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN ANALYZE SELECT 1; COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN SELECT 1; COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN EXPLAIN ANALYZE COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
WITH a AS (SELECT 1) COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
SELECT 1 /* /* */ */; COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
SELECT $$a$$; COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
SELECT '--'; COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
SELECT E'\''; COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
SELECT "a--"; COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
FROM prompts; COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
PREPARE p AS COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN (ANALYZE TRUE) COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN(ANALYZE)COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
EXPLAIN (FORMAT json) (ANALYZE) COPY (SELECT 42 AS x) TO '{listed}' (FORMAT parquet)
CREATE TABLE t AS SELECT 1
CREATE TEMP TABLE t(x INT)
CREATE VIEW v AS SELECT 1
CREATE OR REPLACE VIEW prompts AS SELECT 1
DROP VIEW prompts
DROP VIEW IF EXISTS prompts
ALTER VIEW prompts RENAME TO p
INSERT INTO prompts VALUES (1)
DELETE FROM prompts
UPDATE prompts SET text = ''
TRUNCATE prompts
MERGE INTO prompts USING prompts p ON true WHEN MATCHED THEN DELETE
WITH a AS (SELECT 1) INSERT INTO prompts FROM a
WITH a AS (SELECT 1) DELETE FROM prompts
ATTACH '{outside}'
ATTACH '{secret}' AS x
ATTACH ':memory:' AS m
DETACH memory
USE memory
INSTALL httpfs
LOAD httpfs
LOAD '{secret}'
FORCE INSTALL json
UPDATE EXTENSIONS
SET threads = 1
SET enable_external_access = true
SET lock_configuration = false
SET allowed_directories = ['/']
SET GLOBAL temp_directory = '/'
SET VARIABLE x = 1
RESET threads
PRAGMA database_list
PRAGMA threads = 1
PRAGMA enable_profiling
PRAGMA profiling_output = '{outside}'
PRAGMA table_info('prompts')
CALL pragma_version()
CALL enable_logging()
CALL checkpoint()
CHECKPOINT
FORCE CHECKPOINT
VACUUM
ANALYZE
EXPORT DATABASE '{outside}'
IMPORT DATABASE '{secret}'
COPY FROM DATABASE memory TO x
COPY prompts FROM '{secret}'
CREATE SECRET s (TYPE http)
CREATE MACRO m(x) AS x
CREATE FUNCTION f() AS TABLE SELECT 1
CREATE TYPE t AS ENUM ('a')
CREATE SEQUENCE s
CREATE SCHEMA s
CREATE INDEX i ON prompts(text)
BEGIN
COMMIT
ROLLBACK
PREPARE p AS SELECT 1
EXECUTE p
DEALLOCATE p
COMMENT ON VIEW prompts IS 'x'
EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1
EXPLAIN ANALYZE DROP VIEW prompts
EXPLAIN ANALYZE INSERT INTO prompts VALUES (1)
EXPLAIN ANALYZE ATTACH '{outside}'
EXPLAIN ANALYZE SET threads = 1
EXPLAIN ANALYZE CALL checkpoint()
EXPLAIN ANALYZE EXPORT DATABASE '{outside}'
EXPLAIN CHECKPOINT
EXPLAIN
EXPLAIN (
EXPLAIN (ANALYZE
PIVOT prompts ON condition

 
-- nothing
/* nothing */
;
SELECT 1; SELECT 2
SELECT 1; DROP VIEW prompts
SELECT 1;; CREATE TABLE t(x INT)
1) AS value; CREATE TABLE t AS SELECT (1
1) AS value; COPY (SELECT 1) TO '{outside}'; SELECT (1
1) AS value FROM prompts -- 

"""PostgreSQL. Further walls: a read-only transaction that is rolled back, a cursor (which takes no statement
that writes), timeouts of statements and locks.

Left out on purpose: everything with an effect (set_config, nextval, lo_*, pg_*, dblink*, advisory locks),
what executes a text as SQL (query_to_xml and its kin), what tells of the server (version, current_setting),
and types that look names up in the catalog (regclass and its kin).
"""

from __future__ import annotations

from ledgerline.operations.guard_rules import GRAMMAR, Rules, nodes, words

RULES = Rules(
    dialect="postgres",
    title="PostgreSQL",
    functions=words(
        """
        count sum avg min max string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg
        bool_and bool_or every bit_and bit_or stddev stddev_pop stddev_samp variance var_pop var_samp corr
        covar_pop covar_samp regr_slope regr_intercept regr_r2 regr_count percentile_cont percentile_disc
        mode grouping row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value
        last_value nth_value coalesce nullif greatest least num_nulls num_nonnulls abs sign round ceil
        ceiling floor sqrt cbrt exp ln log log10 power pow trunc sin cos tan asin acos atan atan2 cot
        degrees radians pi mod div width_bucket gcd lcm lower upper initcap length char_length
        character_length octet_length bit_length substr substring left right trim btrim ltrim rtrim lpad
        rpad repeat replace reverse position strpos concat concat_ws split_part starts_with ascii chr md5
        translate overlay regexp_replace regexp_match regexp_count regexp_instr regexp_substr regexp_like
        to_char to_number to_date to_timestamp encode quote_literal now date date_trunc date_part date_bin
        age extract make_date make_time make_timestamp make_timestamptz make_interval justify_days
        justify_hours justify_interval isfinite current_timestamp current_time localtime localtimestamp
        json_build_object json_build_array jsonb_build_object jsonb_build_array to_json to_jsonb row_to_json
        json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text json_typeof
        jsonb_typeof json_array_length jsonb_array_length jsonb_pretty jsonb_strip_nulls json_strip_nulls
        jsonb_path_query_first jsonb_path_exists jsonb_path_query_array array_length cardinality
        array_to_string string_to_array array_position array_remove unnest random
        """
    ),
    table_functions=words(
        """
        generate_series unnest json_array_elements json_array_elements_text jsonb_array_elements
        jsonb_array_elements_text json_each json_each_text jsonb_each jsonb_each_text json_object_keys
        jsonb_object_keys regexp_split_to_table string_to_table
        """
    ),
    words=GRAMMAR
    | words(
        "bytea json jsonb current_date current_time current_timestamp localtime localtimestamp symmetric "
        "century decade millennium timezone to placing milliseconds microseconds no others"
    ),
    reserved=words(
        """
        all analyse analyze and any array as asc asymmetric authorization binary both case cast check
        collate collation column concurrently constraint create cross current_catalog current_date
        current_role current_schema current_time current_timestamp current_user default deferrable desc
        distinct do else end except false fetch for foreign freeze from full grant group having ilike in
        initially inner intersect into is isnull join lateral leading left like limit localtime
        localtimestamp natural not notnull null offset on only or order outer overlaps placing primary
        references returning right select session_user similar some symmetric system_user table tablesample
        then to trailing true union unique user using variadic verbose when where window with insert update
        delete drop alter truncate copy call execute
        """
    ),
    schemas=None,
    hidden_schemas=words("pg_catalog pg_toast information_schema"),
    catalog_tables=words("information_schema.tables information_schema.columns"),
    hidden_prefixes=("pg_",),
    hidden_tables=frozenset(),
    quotes=('"', '"'),
    folds=True,
    string_prefixes=frozenset(),
    explain="EXPLAIN ",
    nodes=nodes(
        """
        Array: expressions bracket_notation value_constructor
        RawString: this
        Bracket: this expressions offset safe
        """
    ),
    types=words("json jsonb bytea varbinary interval array"),
)

"""SQLite. Further walls: a process that can be killed, an authorizer that denies by default, value limits.

Left out on purpose: printf and format, zeroblob and randomblob (one call can fill the memory and cannot be
interrupted), load_extension, readfile, writefile, fts and the table-valued pragmas.
"""

from __future__ import annotations

from ledgerline.operations.guard_rules import GRAMMAR, Rules, nodes, words

RULES = Rules(
    dialect="sqlite",
    title="SQLite",
    functions=words(
        """
        count sum avg min max total group_concat string_agg median row_number rank dense_rank percent_rank
        cume_dist ntile lag lead first_value last_value nth_value coalesce ifnull nullif iif if likely
        unlikely abs sign round ceil ceiling floor sqrt exp ln log log10 log2 pow power trunc sin cos tan
        asin acos atan atan2 degrees radians pi mod lower upper length octet_length substr substring trim
        ltrim rtrim replace instr concat concat_ws char unicode hex unhex quote soundex glob like typeof
        date time datetime julianday unixepoch strftime timediff current_date current_time current_timestamp
        json json_array json_array_length json_extract json_object json_type json_valid json_quote
        json_group_array json_group_object random
        """
    ),
    table_functions=words("json_each json_tree"),
    words=GRAMMAR
    | words(
        "glob regexp current_date current_time current_timestamp no others numeric blob nocase binary rtrim"
    ),
    reserved=words(
        """
        add all alter and as autoincrement between case check collate commit constraint create default
        deferrable delete distinct drop else escape except exists foreign from group having in index insert
        intersect into is isnull join limit not notnull null on or order primary references select set table
        then to transaction union unique update using values when where
        """
    ),
    schemas=words("main"),
    hidden_schemas=frozenset(),
    catalog_tables=words("sqlite_master sqlite_schema main.sqlite_master main.sqlite_schema"),
    hidden_prefixes=("sqlite_", "pragma_", "fts3", "fts4", "fts5"),
    hidden_tables=words("dbstat bytecode tables_used completion generate_series fsdir zipfile"),
    quotes=('"', '"'),
    folds=False,
    string_prefixes=words("x"),
    explain="EXPLAIN QUERY PLAN ",
    nodes=nodes("HexString: this is_integer"),
    types=words("blob varbinary"),
)

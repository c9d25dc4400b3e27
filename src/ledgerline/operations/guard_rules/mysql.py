"""MySQL and MariaDB, which can be the invoice database only. Further walls: a read-only transaction that is
rolled back, and timeouts of statements and locks.

Left out on purpose: load_file, sleep, benchmark, get_lock, user variables, INTO OUTFILE, and other databases,
which here are what elsewhere are schemas. A backslash in a text is refused: what it means hangs on a setting.
"""

from __future__ import annotations

from ledgerline.operations.guard_rules import GRAMMAR, Rules, words

RULES = Rules(
    dialect="mysql",
    title="MySQL",
    functions=words(
        """
        count sum avg min max group_concat json_arrayagg json_objectagg std stddev stddev_pop stddev_samp
        variance var_pop var_samp bit_and bit_or grouping row_number rank dense_rank percent_rank cume_dist
        ntile lag lead first_value last_value nth_value coalesce ifnull nullif if greatest least isnull abs
        sign round ceil ceiling floor sqrt exp ln log log10 log2 power pow truncate sin cos tan asin acos
        atan atan2 cot degrees radians pi mod lower upper lcase ucase length char_length character_length
        bit_length octet_length substr substring mid left right trim ltrim rtrim lpad rpad repeat replace
        reverse instr locate position concat concat_ws ascii hex unhex md5 soundex substring_index field
        find_in_set format regexp_like regexp_replace regexp_substr strcmp space now curdate curtime
        current_timestamp current_date current_time utc_date utc_timestamp date time timestamp date_add
        date_sub adddate subdate datediff timediff timestampdiff timestampadd date_format str_to_date
        from_unixtime unix_timestamp year quarter month week day hour minute second dayofweek dayofmonth
        dayofyear weekday weekofyear yearweek dayname monthname last_day makedate extract json_extract
        json_unquote json_object json_array json_length json_type json_valid json_contains json_keys cast
        convert
        """
    ),
    table_functions=frozenset(),
    words=GRAMMAR
    | words(
        "signed unsigned json binary rlike regexp separator current_date current_time current_timestamp "
        "day_hour day_minute year_month"
    ),
    reserved=words(
        """
        add all alter analyze and as asc before between both by call cascade case change check collate
        column condition constraint continue convert create cross cursor database databases default delayed
        delete desc describe distinct drop dual each else elseif enclosed escaped except exists exit explain
        false fetch for force foreign from fulltext generated grant group grouping groups having
        high_priority if ignore in index infile inner inout insert intersect into is iterate join key keys
        kill lateral leading leave left like limit linear lines load lock loop low_priority match natural
        not null on optimize option or order out outer outfile over partition primary procedure purge range
        read recursive references regexp release rename repeat replace require resignal restrict return
        revoke right rlike row rows schema schemas select separator set show signal sql starting
        straight_join system table terminated then to trailing trigger true undo union unique unlock update
        usage use using values when where while window with write xor
        """
    ),
    schemas=words("information_schema"),
    hidden_schemas=frozenset(),
    catalog_tables=words("information_schema.tables information_schema.columns"),
    hidden_prefixes=(),
    hidden_tables=frozenset(),
    quotes=("`", "`"),
    folds=False,
    string_prefixes=frozenset(),
    explain="EXPLAIN ",
    nodes={},
    types=frozenset(("json", "binary", "ubigint", "utinyint", "uint")),
    backslash=False,
)

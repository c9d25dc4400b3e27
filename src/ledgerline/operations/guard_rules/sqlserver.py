"""SQL Server (T-SQL). Further walls: a transaction that is always rolled back, query and lock timeouts, and,
as this server knows no read-only transaction, a login that may only read.

T-SQL runs a second statement without a semicolon: `SELECT 1 SHUTDOWN` is two. What is sent is rendered anew
with `AS` and brackets, so such a word can only ever be a name; it is refused all the same.

Left out on purpose: OPENROWSET, OPENQUERY, OPENDATASOURCE, OPENXML, xp_*, sp_*, fn_*, NEXT VALUE FOR, table
hints, FOR XML and FOR JSON, OPTION, variables, and methods of XML and CLR types.
"""

from __future__ import annotations

from ledgerline.operations.guard_rules import GRAMMAR, Rules, nodes, words

RULES = Rules(
    dialect="tsql",
    title="T-SQL",
    functions=words(
        """
        count count_big sum avg min max string_agg stdev stdevp var varp grouping grouping_id
        percentile_cont percentile_disc approx_count_distinct row_number rank dense_rank percent_rank
        cume_dist ntile lag lead first_value last_value coalesce isnull nullif iif choose greatest least abs
        sign round ceiling floor sqrt square exp log log10 power sin cos tan asin acos atan atn2 cot degrees
        radians pi lower upper len datalength substring left right trim ltrim rtrim replace reverse
        charindex patindex concat concat_ws replicate space stuff translate ascii char nchar unicode soundex
        difference quotename format str getdate getutcdate sysdatetime sysutcdatetime sysdatetimeoffset
        current_timestamp dateadd datediff datediff_big datename datepart datetrunc day month year eomonth
        isdate datefromparts datetimefromparts datetime2fromparts timefromparts switchoffset
        todatetimeoffset json_value json_query isjson cast try_cast convert try_convert isnumeric
        """
    ),
    table_functions=words("string_split"),
    words=GRAMMAR
    | words(
        "max datetime2 smalldatetime datetimeoffset uniqueidentifier money smallmoney varbinary binary "
        "current_timestamp dayofyear weekday iso_week nanosecond tzoffset "
        "yy yyyy qq q mm m dy y dd d wk ww dw w hh mi n ss s ms mcs ns tz isowk isoww"
    ),
    reserved=words(
        """
        add all alter and any as asc authorization backup begin between break browse bulk by cascade case
        check checkpoint close clustered coalesce collate column commit compute constraint contains
        containstable continue convert create cross current current_date current_time current_timestamp
        current_user cursor database dbcc deallocate declare default delete deny desc disk distinct
        distributed double drop dump else end errlvl escape except exec execute exists exit external fetch
        file fillfactor for foreign freetext freetexttable from full function goto grant group having
        holdlock identity identity_insert identitycol if in index inner insert intersect into is join key
        kill left like lineno load merge national nocheck nonclustered not null nullif of off offsets on
        open opendatasource openquery openrowset openxml option or order outer over percent pivot plan
        precision primary print proc procedure public raiserror read readtext reconfigure references
        replication restore restrict return revert revoke right rollback rowcount rowguidcol rule save
        schema securityaudit select semantickeyphrasetable semanticsimilaritydetailstable
        semanticsimilaritytable session_user set setuser shutdown some statistics system_user table
        tablesample textsize then to top tran transaction trigger truncate try_convert tsequal union unique
        unpivot update updatetext use user values varying view waitfor when where while with writetext go
        throw receive send
        """
    ),
    schemas=None,
    hidden_schemas=words(
        "sys information_schema guest db_owner db_accessadmin db_securityadmin db_ddladmin db_backupoperator "
        "db_datareader db_datawriter db_denydatareader db_denydatawriter"
    ),
    catalog_tables=words("information_schema.tables information_schema.columns"),
    hidden_prefixes=("sp_", "xp_", "fn_", "dm_", "#", "@"),
    hidden_tables=words(
        """
        sysaltfiles syscacheobjects syscharsets syscolumns syscomments sysconfigures sysconstraints
        syscurconfigs sysdatabases sysdepends sysdevices sysfilegroups sysfiles sysforeignkeys
        sysfulltextcatalogs sysindexes sysindexkeys syslanguages syslockinfo syslogins sysmembers
        sysmessages sysobjects sysoledbusers sysopentapes sysperfinfo syspermissions sysprocesses
        sysprotects sysreferences sysremotelogins sysservers syssegments systypes sysusers sysxlogins
        inserted deleted
        """
    ),
    quotes=("[", "]"),
    folds=False,
    string_prefixes=words("n"),
    explain="",
    nodes=nodes(
        """
        HexString: this is_integer
        Convert: this expression style safe
        """
    ),
    types=words(
        "datetime2 smalldatetime datetimeoffset timestamptz uniqueidentifier money smallmoney varbinary "
        "binary utinyint"
    ),
)

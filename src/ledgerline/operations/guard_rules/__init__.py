"""What a query may consist of: the rules of each SQL dialect behind one shape.

Everything is an allow-list. A node of the syntax tree, an argument of a node, a function, a type or a bare
word that nobody thought of is refused, so what a new version of a parser or of a server brings is refused
too until somebody has looked at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlglot import expressions as exp


@dataclass(frozen=True, slots=True)
class Rules:
    """What one dialect allows. All names are in lower case."""

    dialect: str  # sqlglot's name of it
    title: str
    functions: frozenset[str]  # names that may stand before a parenthesis
    table_functions: frozenset[str]  # the same, where a table may stand
    words: frozenset[str]  # bare words of what is sent, beside functions
    reserved: frozenset[str]  # words that no name may be unless it is quoted
    schemas: frozenset[str] | None  # the only schemas that may be named; None: all but `hidden_schemas`
    hidden_schemas: frozenset[str]
    catalog_tables: frozenset[str]  # `schema.table` or `table` of the server's own that may be read
    hidden_prefixes: tuple[str, ...]  # of tables of the server's own
    hidden_tables: frozenset[str]
    quotes: tuple[str, str]  # around an identifier
    folds: bool  # unquoted names are folded to lower case
    string_prefixes: frozenset[str]  # what may stand right before a quote: N'…', x'…'
    explain: str  # what goes in front of a statement that is only to be explained; empty: a session setting
    nodes: Mapping[type[exp.Expr], frozenset[str]]  # beside NODES
    types: frozenset[str]  # beside TYPES
    backslash: bool = True  # a backslash in a text stands for itself


def words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def nodes(table: str) -> dict[type[exp.Expr], frozenset[str]]:
    """`Name: argument argument` a line."""
    pairs = (line.partition(":") for line in table.strip().splitlines())
    return {getattr(exp, name.strip()): frozenset(arguments.split()) for name, _, arguments in pairs}


_BINARY: Final = (
    "Add Sub Mul Div Mod And Or Xor EQ NEQ GT GTE LT LTE Is Like ILike SimilarTo RegexpLike RegexpILike Glob "
    "ArrayOverlaps NullSafeEQ NullSafeNEQ DPipe BitwiseAnd BitwiseOr"
    " BitwiseXor BitwiseLeftShift BitwiseRightShift IntDiv "
    "Escape Collate JSONExtract JSONExtractScalar JSONBExtract JSONBExtractScalar ArrayContainsAll"
)

NODES: Final[dict[type[exp.Expr], frozenset[str]]] = {
    **nodes(
        """
        Select: expressions from_ joins where group having order limit offset distinct with_ windows laterals
        Union: this expression distinct by_name with_ order limit offset
        Except: this expression distinct with_ order limit offset
        Intersect: this expression distinct with_ order limit offset
        With: expressions recursive
        CTE: this alias materialized
        Subquery: this alias with_ order limit offset
        TableAlias: this columns
        Values: expressions alias order limit offset
        Tuple: expressions
        From: this
        Table: this db alias
        Join: this side kind on using method
        Lateral: this alias view outer cross_apply
        Where: this
        Group: expressions grouping_sets rollup cube
        GroupingSets: expressions
        Rollup: expressions
        Cube: expressions
        Having: this
        Order: this expressions
        Ordered: this desc nulls_first
        Limit: this expression limit_options
        LimitOptions: percent rows with_ties
        Fetch: direction count limit_options
        Offset: this expression
        Distinct: expressions on
        Window: this partition_by order spec alias over first
        WindowSpec: kind start start_side end end_side exclude
        Filter: this expression
        WithinGroup: this expression
        IgnoreNulls: this
        RespectNulls: this
        Alias: this alias
        Column: this table db
        Identifier: this quoted
        Star:
        Literal: this is_string
        Boolean: this
        Null:
        National: this
        Paren: this
        Not: this
        Neg: this
        BitwiseNot: this
        Between: this low high symmetric negate
        In: this expressions query negate
        Exists: this expression negate
        Any: this
        All: this
        Case: this ifs default
        If: this true false
        Cast: this to format safe default action
        TryCast: this to safe requires_string
        DataType: this expressions nested
        DataTypeParam: this
        Interval: this unit
        Var: this
        AtTimeZone: this zone
        Placeholder: this jdbc
        Parameter: this
        JSONPath: expressions
        JSONPathRoot:
        JSONPathKey: this
        JSONPathSubscript: this
        """
    ),
    **{getattr(exp, name): frozenset(("this", "expression", "negate")) for name in _BINARY.split()},
}
for _operator, _further in (
    (exp.Div, ("typed", "safe")),
    (
        exp.JSONExtract,
        ("only_json_types", "expressions", "variant_extract", "json_query", "json_type", "json_subtype"),
    ),
    (exp.JSONExtractScalar, ("only_json_types", "expressions", "scalar_only", "json_type", "json_subtype")),
    (exp.RegexpLike, ("flag", "full_match")),
    (exp.RegexpILike, ("flag",)),
    (exp.DPipe, ("safe",)),
):
    NODES[_operator] |= frozenset(_further)

_FUNCTIONS: Final = """
    Count CountIf Sum Avg Min Max GroupConcat ArrayAgg JSONArrayAgg JSONObjectAgg JSONBObjectAgg LogicalAnd
    LogicalOr Stddev StddevPop StddevSamp Variance VariancePop Corr CovarPop CovarSamp PercentileCont
    PercentileDisc Mode Grouping RowNumber Rank DenseRank PercentRank CumeDist Ntile Lag Lead FirstValue
    LastValue NthValue BitwiseAndAgg BitwiseOrAgg Coalesce Nullif Greatest Least Abs Sign Round Ceil Floor
    Sqrt Exp Ln Log Pow Trunc Sin Cos Tan Asin Acos Atan Atan2 Cot Degrees Radians Pi Mod Cbrt IsNan Lower
    Upper Initcap Length ByteLength BitLength Substring Left Right Trim Pad Repeat Replace Reverse
    StrPosition Concat ConcatWs SplitPart StartsWith Ascii Chr Unicode Hex LowerHex Unhex MD5 Translate
    Overlay Stuff Soundex RegexpReplace RegexpExtract RegexpCount RegexpInstr RegexpSplit Space ToChar
    FromBase64 ToBase64 NumberToStr Format Encode SubstringIndex Rand Typeof CurrentDate CurrentTimestamp
    CurrentTime Localtime Localtimestamp Extract TimestampTrunc DateTrunc Date DateAdd DateSub DateDiff
    TsOrDsToDate TsOrDsToTimestamp TsOrDsAdd TsOrDsDiff TimeStrToTime TimeToStr StrToTime StrToDate
    TimeToUnix UnixToTime StrToUnix Year Month Day Week Quarter Hour Minute Second DayOfWeek DayOfMonth
    DayOfYear WeekOfYear LastDay DateFromParts TimestampFromParts MakeInterval Time Timestamp TimestampAdd
    TimestampSub TimestampDiff Datetime AddMonths DateStrToDate JustifyDays JustifyHours JustifyInterval
    ToDays Dayname Monthname DateToDi ParseTime JSONObject JSONArray JSONKeyValue JSONValue ParseJSON
    JSONExtractArray JSONType JSONBExists JSONArrayContains JSONKeys Array ArraySize ArrayToString
    StringToArray Unnest Explode GenerateSeries ExplodingGenerateSeries JSONBContains Convert
"""

FUNCTIONS: Final = frozenset(getattr(exp, name) for name in _FUNCTIONS.split())
"""Functions of a type of their own; the name that one is rendered with is looked up in `Rules.functions`."""

TYPES: Final = words(
    "bigint int integer smallint tinyint decimal numeric float double real boolean bit char varchar nchar "
    "nvarchar text date time timestamp timestamptz timestampltz datetime uuid"
)
"""Types that a value may be cast to, as sqlglot names them in lower case."""

GRAMMAR: Final = words(
    """
    select from where group by having order limit offset fetch first next row rows only with ties percent
    top distinct all as on using natural cross inner left right full outer join lateral apply union except
    intersect recursive materialized not and or xor null true false is in between like ilike similar escape
    exists any some case when then else end cast try_cast asc desc nulls last over partition range groups
    preceding following current unbounded exclude filter within ignore respect window values interval
    collate rollup cube grouping sets array at zone for both leading trailing div year quarter month week
    day hour minute second millisecond microsecond dow doy epoch isodow isoyear int integer bigint smallint
    tinyint decimal numeric float double precision real boolean bit char varchar nchar nvarchar text date
    time timestamp timestamptz datetime uuid
    """
)
"""The words of SQL's own that a rendered query may hold bare, in any dialect."""

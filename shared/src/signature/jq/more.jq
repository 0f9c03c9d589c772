# Filters of jq's manual that jaq does not bring along.
def IN(s): any(s == .; .);
def IN(source; s): any(source == s; .);
def INDEX(rows; key): reduce rows as $row ({}; .[$row | key | tostring] = $row);
def INDEX(key): INDEX(.[]; key);
def ascii: [.] | implode;
def isvalid(f): try (f | true) catch false;
def leaf_paths: paths(type != "object" and type != "array");
def trimstr($s): ltrimstr($s) | rtrimstr($s);
def toarray: if type == "array" then . else [.] end;
def date: todate;
def dateadd(unit; n): . + n;
def datesub(unit; n): . - n;

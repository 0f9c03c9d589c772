//! The forms of time stamps that logs are written with.
//!
//! The order decides: the first form that reads a line near the start of a file is the file's.
//! Those up to `iso_comma` come in the order of the reference engine, so that the same logs are
//! dated the same way; ours follow. What a form accepts beyond the reference (more digits, an
//! offset) is read, not ignored.

/// Where in the line a stamp stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At its start.
    Start,
    /// Behind the first occurrence of this text that a stamp follows.
    After(&'static str),
}

/// A form of time stamp.
#[derive(Debug)]
pub struct Format {
    /// A short name, for reports.
    pub name: &'static str,
    /// Where it stands.
    pub place: Place,
    /// How it is written.
    pub pattern: &'static str,
    /// A line that has it.
    pub example: &'static str,
    /// The time of the example, as RFC 3339 in UTC; the test checks it.
    pub example_time: &'static str,
}

const fn start(
    name: &'static str,
    pattern: &'static str,
    example: &'static str,
    example_time: &'static str,
) -> Format {
    Format {
        name,
        place: Place::Start,
        pattern,
        example,
        example_time,
    }
}

const fn after(
    name: &'static str,
    marker: &'static str,
    pattern: &'static str,
    example: &'static str,
    example_time: &'static str,
) -> Format {
    Format {
        name,
        place: Place::After(marker),
        pattern,
        example,
        example_time,
    }
}

/// Every form, in the order they are tried.
#[rustfmt::skip]
pub const FORMATS: &[Format] = &[
    after("json_time_epoch", "\"time\":", "%u", r#"{"level":"error","time":1744570895480541}"#, "2025-04-13T19:01:35.480541Z"),
    start("rfc3339", "%Y-%m-%dT%H:%M:%S%?%z%t", "2025-01-20T11:06:41.655Z|114883|poll_loop", "2025-01-20T11:06:41.655Z"),
    start("iso_comma_5", "%Y-%m-%d %H:%M:%S,%5", "2025-05-17 16:09:12,46570 WARN x", "2025-05-17T16:09:12.4657Z"),
    start("iso_micro_offset", "%Y-%m-%d %H:%M:%S.%6%z", "2026-01-02 15:04:05.000000-0700 x", "2026-01-02T22:04:05Z"),
    start("iso_milli", "%Y-%m-%d %H:%M:%S.%3%Z", "2025-03-11 14:05:05.303788+02:00 x", "2025-03-11T12:05:05.303788Z"),
    start("iso", "%Y-%m-%d %H:%M:%S%?%Z", "2026-01-02 15:04:05 +0200 x", "2026-01-02T13:04:05Z"),
    start("syslog_micro", "%b%_%e %H:%M:%S.%6", "Apr 30 23:36:47.715984 WRN x", "2026-04-30T23:36:47.715984Z"),
    start("syslog", "%b%_%e %H:%M:%S", "Jan  2 15:04:05 host sshd[1]: x", "2026-01-02T15:04:05Z"),
    start("klog", "%L%m%d %H:%M:%S.%6", "I0102 15:04:05.000001    1 main.go:1] x", "2026-01-02T15:04:05.000001Z"),
    start("bracket_iso_comma", "[%Y-%m-%d %H:%M:%S,%3]", "[2026-01-02 15:04:05,000] INFO x", "2026-01-02T15:04:05Z"),
    start("slashes", "%Y/%m/%d %H:%M:%S%?", "2026/01/02 15:04:05 [error] x", "2026-01-02T15:04:05Z"),
    start("us_comma", "%m/%d/%Y, %H:%M:%S", "01/02/2026, 15:04:05 x", "2026-01-02T15:04:05Z"),
    start("day_month_year_milli", "%d %b %Y %H:%M:%S.%3", "02 Jan 2026 15:04:05.000 x", "2026-01-02T15:04:05Z"),
    start("year_month_day_milli", "%Y %b %d %H:%M:%S.%3", "2026 Jan 02 15:04:05.000 x", "2026-01-02T15:04:05Z"),
    start("common_milli", "%d/%b/%Y:%H:%M:%S.%3", "02/Jan/2026:15:04:05.000 x", "2026-01-02T15:04:05Z"),
    start("us_ampm", "%m/%d/%Y %I:%M:%S %p", "01/02/2026 03:04:05 PM x", "2026-01-02T15:04:05Z"),
    start("year_month_day", "%Y %b %d %H:%M:%S", "2026 Jan 02 15:04:05 x", "2026-01-02T15:04:05Z"),
    after("json_timestamp", "\"timestamp\"", "%_:%_\"%Y-%m-%dT%H:%M:%S%?%z", r#"{"timestamp":"2025-03-26T14:01:02Z"}"#, "2025-03-26T14:01:02Z"),
    after("json_ts", "\"ts\"", "%_:%_\"%Y-%m-%dT%H:%M:%S%?%z", r#"{"level":"error","ts":"2025-06-05T22:37:51.983Z"}"#, "2025-06-05T22:37:51.983Z"),
    after("json_stamp", "\"stamp\"", "%_:%_\"%Y-%m-%dT%H:%M:%S%?%z", r#"{"stamp" : "2025-06-05T22:37:51+02:00"}"#, "2025-06-05T20:37:51Z"),
    after("json_creation", "\"creationTimestamp\"", "%_:%_\"%Y-%m-%dT%H:%M:%S%?%z", r#"{"creationTimestamp":"2025-04-23T20:50:35Z"}"#, "2025-04-23T20:50:35Z"),
    start("nats", "[%N]%_%Y/%m/%d %H:%M:%S.%6", "[7] 2025/04/25 02:01:04.339092 [ERR] x", "2025-04-25T02:01:04.339092Z"),
    start("zap", "%Y-%m-%dT%H:%M:%S.%3%z", "2025-04-24T21:55:08.535-0500\tINFO\tx", "2025-04-25T02:55:08.535Z"),
    after("json_ts_epoch", "\"ts\"", "%_:%_%E", r#"{"level":"info","ts":1745549708.5355184}"#, "2025-04-25T02:55:08.5355184Z"),
    after("logfmt_ts", "ts=", "%Y-%m-%dT%H:%M:%S.%9Z", "ts=2025-03-10T13:52:40.623431174Z level=warn", "2025-03-10T13:52:40.623431174Z"),
    after("windows_date", "/Date(", "%s", r#"{"TimeCreated":"\/Date(1743448267142)\/"}"#, "2025-03-31T19:11:07.142Z"),
    after("logfmt_time", "time=\"", "%Y-%m-%dT%H:%M:%S%?%z", r#"time="2025-02-12T18:12:58.715528Z" level=info"#, "2025-02-12T18:12:58.715528Z"),
    start("iso_comma", "%Y-%m-%d %H:%M:%S,%3", "2025-06-10 02:41:14,429 - INFO - x", "2025-06-10T02:41:14.429Z"),

    // Ours from here on.
    start("rfc3339_only", "%Y-%m-%dT%H:%M:%S%?%z", "2026-01-02T15:04:05.5+01:00", "2026-01-02T14:04:05.5Z"),
    start("iso_t", "%Y-%m-%dT%H:%M:%S%?", "2026-01-02T15:04:05,123 [main] x", "2026-01-02T15:04:05.123Z"),
    start("bracket_rfc3339", "[%Y-%m-%dT%H:%M:%S%?%Z]", "[2026-01-02T15:04:05.123+0000][info][gc] x", "2026-01-02T15:04:05.123Z"),
    start("bracket_iso", "[%Y-%m-%d %H:%M:%S%?%Z]", "[2026-01-02 15:04:05 +0100] [12] [INFO] x", "2026-01-02T14:04:05Z"),
    start("bracket_iso_colon", "[%Y-%m-%d %H:%M:%S%?", "[2026-01-02 15:04:05,529: ERROR/MainProcess] x", "2026-01-02T15:04:05.529Z"),
    start("ruby_logger", "%L, [%Y-%m-%dT%H:%M:%S%?", "E, [2026-01-02T15:04:05.000123 #77] ERROR -- : x", "2026-01-02T15:04:05.000123Z"),
    start("syslog_5424", "<%N>%N %Y-%m-%dT%H:%M:%S%?%z", "<34>1 2026-01-02T15:04:05.003Z host su - - x", "2026-01-02T15:04:05.003Z"),
    start("syslog_priority", "<%N>%b%_%e %H:%M:%S", "<34>Jan  2 15:04:05 host su: x", "2026-01-02T15:04:05Z"),
    start("syslog_year", "%b%_%e %Y %H:%M:%S%?", "Jan  2 2026 15:04:05 host x", "2026-01-02T15:04:05Z"),
    start("journal_full", "%a %Y-%m-%d %H:%M:%S%?%Z", "Fri 2026-01-02 15:04:05.123456 UTC host x", "2026-01-02T15:04:05.123456Z"),
    start("ctime", "%a %b%_%e %H:%M:%S%? %Y", "Fri Jan  2 15:04:05 2026 x", "2026-01-02T15:04:05Z"),
    start("ctime_zone", "%a %b%_%e %H:%M:%S %w %Y", "Fri Jan  2 15:04:05 UTC 2026: x", "2026-01-02T15:04:05Z"),
    start("bracket_ctime", "[%a %b%_%e %H:%M:%S%? %Y]", "[Fri Jan 02 15:04:05.123456 2026] [core:error] x", "2026-01-02T15:04:05.123456Z"),
    start("redis", "%N:%L %d %b %Y %H:%M:%S%?", "123:M 02 Jan 2026 15:04:05.123 # x", "2026-01-02T15:04:05.123Z"),
    start("redis_old", "[%N] %d %b %H:%M:%S%?", "[123] 02 Jan 15:04:05.123 # x", "2026-01-02T15:04:05.123Z"),
    start("tomcat", "%d-%b-%Y %H:%M:%S%?", "02-Jan-2026 15:04:05.123 SEVERE [main] x", "2026-01-02T15:04:05.123Z"),
    start("java_util", "%b %e, %Y %I:%M:%S %p", "Jan 2, 2026 3:04:05 PM org.example.Main run", "2026-01-02T15:04:05Z"),
    start("mail_date", "%a, %d %b %Y %H:%M:%S%Z", "Fri, 02 Jan 2026 15:04:05 +0200 x", "2026-01-02T13:04:05Z"),
    start("day_month_year", "%d %b %Y %H:%M:%S", "02 Jan 2026 15:04:05 x", "2026-01-02T15:04:05Z"),
    start("mysql_old", "%y%m%d%_%H:%M:%S", "260102 15:04:05 [ERROR] x", "2026-01-02T15:04:05Z"),
    start("spark", "%y/%m/%d %H:%M:%S", "26/01/02 15:04:05 INFO x", "2026-01-02T15:04:05Z"),
    start("hadoop_short", "%y%m%d %H%M%S", "260102 150405 148 INFO x", "2026-01-02T15:04:05Z"),
    start("compact", "%Y%m%d %H:%M:%S%?", "20260102 15:04:05.123 x", "2026-01-02T15:04:05.123Z"),
    start("compact_dash", "%Y%m%d-%H:%M:%S", "20260102-15:04:05:606|x", "2026-01-02T15:04:05Z"),
    start("compact_t", "%Y%m%dT%H%M%S%?%Z", "20260102T150405Z x", "2026-01-02T15:04:05Z"),
    start("db2", "%Y-%m-%d-%H.%M.%S%?", "2026-01-02-15.04.05.123456 x", "2026-01-02T15:04:05.123456Z"),
    start("dots", "%d.%m.%Y %H:%M:%S%?", "02.01.2026 15:04:05 x", "2026-01-02T15:04:05Z"),
    start("ceph", "%Y-%m-%d %H:%M:%S.%6", "2026-01-02 15:04:05.123456 7f x", "2026-01-02T15:04:05.123456Z"),
    start("logcat", "%m-%d %H:%M:%S.%3", "01-02 15:04:05.123  1 2 E Tag: x", "2026-01-02T15:04:05.123Z"),
    start("go_milli", "%L%_%m/%d %H:%M:%S%?", "E 01/02 15:04:05.123 x", "2026-01-02T15:04:05.123Z"),
    start("us", "%m/%d/%Y %H:%M:%S%?", "01/02/2026 15:04:05 x", "2026-01-02T15:04:05Z"),
    after("common_log", "[", "%d/%b/%Y:%H:%M:%S%?%Z", r#"10.0.0.1 - - [02/Jan/2026:15:04:05 +0100] "GET / HTTP/1.1" 200 2"#, "2026-01-02T14:04:05Z"),
    after("audit", "audit(", "%E:", "type=AVC msg=audit(1767366245.243:24287): avc: denied", "2026-01-02T15:04:05.243Z"),
    after("journal_json", "\"__REALTIME_TIMESTAMP\"", "%_:%_\"%s", r#"{"__REALTIME_TIMESTAMP":"1767366245243000","MESSAGE":"x"}"#, "2026-01-02T15:04:05.243Z"),
    after("json_time", "\"time\"", "%_:%_\"%Y-%m-%dT%H:%M:%S%?%z", r#"{"time":"2026-01-02T15:04:05.5Z","level":"INFO"}"#, "2026-01-02T15:04:05.5Z"),
    after("json_time_short", "\"time\"", "%_:%_%s", r#"{"level":50,"time":1767366245243,"msg":"x"}"#, "2026-01-02T15:04:05.243Z"),
    after("json_at_timestamp", "\"@timestamp\"", "%_:%_\"%Y-%m-%dT%H:%M:%S%?%Z", r#"{"@timestamp":"2026-01-02T15:04:05.123Z"}"#, "2026-01-02T15:04:05.123Z"),
    after("json_timestamp_epoch", "\"timestamp\"", "%_:%_%s", r#"{"timestamp":1767366245243}"#, "2026-01-02T15:04:05.243Z"),
    after("json_date", "\"$date\"", "%_:%_\"%Y-%m-%dT%H:%M:%S%?%z", r#"{"t":{"$date":"2026-01-02T15:04:05.123+00:00"},"s":"I"}"#, "2026-01-02T15:04:05.123Z"),
    after("logfmt_t", "t=", "%Y-%m-%dT%H:%M:%S%?%z", "t=2026-01-02T15:04:05+0000 lvl=eror msg=x", "2026-01-02T15:04:05Z"),
    after("logfmt_ts_short", "ts=", "%Y-%m-%dT%H:%M:%S%?%z", "level=info ts=2026-01-02T15:04:05.123Z caller=x", "2026-01-02T15:04:05.123Z"),
    after("logfmt_time_bare", "time=", "%Y-%m-%dT%H:%M:%S%?%z", "level=info time=2026-01-02T15:04:05Z msg=x", "2026-01-02T15:04:05Z"),
    after("python_root", ":", "%Y-%m-%d %H:%M:%S%?", "ERROR:2026-01-02 15:04:05,123:x", "2026-01-02T15:04:05.123Z"),
    after("bracketed_later", "[", "%Y-%m-%d %H:%M:%S%?", "ERROR [main] [2026-01-02 15:04:05,123] x", "2026-01-02T15:04:05.123Z"),
    after("level_first", " ", "%Y-%m-%d %H:%M:%S%?", "INFO  2026-01-02 15:04:05.123 x", "2026-01-02T15:04:05.123Z"),
    start("epoch_milli", "%s ", "1767366245243 x", "2026-01-02T15:04:05.243Z"),
    start("epoch", "%T", "1767366245.243    45 10.0.0.1 TCP_MISS/200", "2026-01-02T15:04:05.243Z"),
    start("bracket_epoch", "[%s]", "[1767366245] SERVICE ALERT: x", "2026-01-02T15:04:05Z"),
    start("dmesg", "[%_%E]", "[12345.678901] usb 1-1: x", "1970-01-01T03:25:45.678901Z"),
    start("dmesg_priority", "<%N>[%_%E]", "<6>[   12.5] usb 1-1: x", "1970-01-01T00:00:12.5Z"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::time::{Clock, Layout};

    #[test]
    fn there_are_at_least_forty_and_each_reads_its_example() {
        assert!(FORMATS.len() >= 40 + 27);
        let now_s = "2026-11-24T00:00:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_second();
        let clock = Clock::new(now_s, 0);
        for format in FORMATS {
            let expected: jiff::Timestamp = format.example_time.parse().unwrap();
            let (ns, _) = format
                .read(format.example.as_bytes(), clock)
                .unwrap_or_else(|| panic!("{}", format.name));
            assert_eq!(i128::from(ns), expected.as_nanosecond(), "{}", format.name);
            let text = format!("{}\n", format.example);
            assert!(
                Layout::detect(text.as_bytes(), clock, &[]).is_dated(),
                "{}",
                format.name
            );
        }
    }

    #[test]
    fn stamps_that_cannot_be_are_not_read() {
        let clock = Clock::new(0, 0);
        for bad in [
            "2026-13-02 15:04:05 x",
            "2026-02-30 15:04:05 x",
            "2026-01-02 25:04:05 x",
            "Foo  2 15:04:05 x",
        ] {
            let text = format!("{bad}\n");
            assert!(
                !Layout::detect(text.as_bytes(), clock, &[]).is_dated(),
                "{bad}"
            );
        }
    }
}

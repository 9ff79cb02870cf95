import { parseRfc3339 } from '../../core/click/timestamp.js';
import { DAY_MS, HOUR_MS, MINUTE_MS, daysFromCivil, daysInMonth } from '../../core/time.js';

/** Text to epoch ms UTC; null if it is no such time. */
export type TimestampReader = (text: string) => number | null;

/** The named formats; any other format is a pattern. */
export const NAMED_FORMATS = ['rfc3339', 'epoch_ms', 'epoch_s', 'clf'] as const;

const TOKEN = /yyyy|MM|dd|HH|mm|ss|SSS/g;
const REQUIRED = ['yyyy', 'MM', 'dd', 'HH', 'mm'];

/**
 * A reader for `rfc3339`, `epoch_ms`, `epoch_s` (with or without fraction), `clf` (the time of the
 * Common Log Format, `17/May/2015:10:05:03 +0000`, its zone honoured), or a pattern of yyyy, MM, dd, HH, mm, ss and SSS with fixed widths, as in `yyyy-MM-dd HH:mm:ss`; a pattern has no zone
 * and is read as UTC. Anything else in it stands for itself. Fractions are cut, never rounded.
 * @throws RangeError saying what is wrong with the format.
 */
export function timestampReader(format: string): TimestampReader {
  switch (format) {
    case 'rfc3339':
      return parseRfc3339;
    case 'epoch_ms':
      return (text) => (/^\d{1,15}$/.test(text) ? Number(text) : null);
    case 'epoch_s':
      return epochSeconds;
    case 'clf':
      return clfTime;
    default:
      return patternReader(format);
  }
}

function epochSeconds(text: string): number | null {
  const match = /^(\d{1,12})(?:\.(\d+))?$/.exec(text);
  if (match === null) return null;
  return Number(match[1]) * 1000 + Number((match[2] ?? '').slice(0, 3).padEnd(3, '0'));
}

const CLF = /^(\d\d)\/([A-Z][a-z][a-z])\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/;
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';

function clfTime(text: string): number | null {
  const match = CLF.exec(text);
  if (match === null) return null;
  const month = MONTHS.indexOf(match[2]!);
  const offset = Number(match[8]) * HOUR_MS + Number(match[9]) * MINUTE_MS;
  if (month < 0 || month % 3 !== 0 || Number(match[8]) > 23 || Number(match[9]) > 59) return null;
  const parts: Readonly<Record<string, number>> = {
    yyyy: Number(match[3]),
    MM: month / 3 + 1,
    dd: Number(match[1]),
    HH: Number(match[4]),
    mm: Number(match[5]),
    ss: Number(match[6]),
  };
  const local = utc((token) => parts[token] ?? 0);
  if (local === null) return null;
  return match[7] === '-' ? local + offset : local - offset;
}

function patternReader(pattern: string): TimestampReader {
  const tokens: string[] = pattern.match(TOKEN) ?? [];
  const missing = REQUIRED.filter((token) => !tokens.includes(token));
  if (missing.length > 0 || new Set(tokens).size !== tokens.length) {
    const why =
      missing.length > 0 ? `the pattern lacks ${missing.join(', ')}` : 'a part occurs twice';
    const named = NAMED_FORMATS.join(', ');
    throw new RangeError(`"${pattern}" is no time format: it is none of ${named}, and ${why}`);
  }
  const literal = pattern.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  const expression = new RegExp(`^${literal.replace(TOKEN, (t) => `(\\d{${t.length}})`)}$`);
  return (text) => {
    const match = expression.exec(text);
    if (match === null) return null;
    const part = (token: string): number => {
      const index = tokens.indexOf(token);
      return index < 0 ? 0 : Number(match[index + 1]);
    };
    return utc(part);
  };
}

function utc(part: (token: string) => number): number | null {
  const [year, month, day] = [part('yyyy'), part('MM'), part('dd')];
  const [hour, minute, second] = [part('HH'), part('mm'), part('ss')];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  const date = daysFromCivil(year, month, day) * DAY_MS;
  return date + hour * HOUR_MS + minute * MINUTE_MS + second * 1000 + part('SSS');
}

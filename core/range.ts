import { parseRfc3339 } from './click/timestamp.js';
import { TruecountError } from './errors.js';
import { DAY_MS, HOUR_MS, MINUTE_MS } from './time.js';

/** `[fromMs, toMs)` of event time, epoch milliseconds UTC. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The longest range of an answer that lists its minutes or hours, or of an order about hours. */
export const RANGE_DAYS_MAX = 31;

/**
 * The longest range that one number is the sum of: a sliding count, or the window of a top list. A
 * year with its leap day: 8,784 index lookups for a count (docs/explanation/performance.md).
 */
export const WINDOW_DAYS_MAX = 366;

/**
 * Times that are taken, `[TIME_MS_MIN, TIME_MS_END)`: the years 0001 to 9999 that RFC 3339 can write,
 * less WINDOW_DAYS_MAX at both ends. So what is worked out of one (the begin of a window, the end of an
 * hour) can be written, too.
 */
export const TIME_MS_MIN = Date.parse('0001-01-01T00:00:00Z') + WINDOW_DAYS_MAX * DAY_MS;
export const TIME_MS_END = Date.parse('9999-12-31T00:00:00Z') - (WINDOW_DAYS_MAX - 1) * DAY_MS;

const SHORT = /^(\d{4}-\d\d-\d\d)[Tt](\d\d)(?::(\d\d))?[Zz]?$/;
const FORMS = 'write a time as 2026-11-21T10:05:00Z, 2026-11-21T10:05 or 2026-11-21T10 (UTC)';

/**
 * A point in time as people and programs write it: RFC 3339, or `2026-11-21T10` or
 * `2026-11-21T10:05`, which are UTC. Epoch milliseconds.
 * @param name what the time is called in the question, for the message
 * @throws TruecountError `invalid_argument`
 */
export function parseTime(name: string, text: string): number {
  const short = SHORT.exec(text);
  const full =
    short === null ? text : `${short[1] ?? ''}T${short[2] ?? ''}:${short[3] ?? '00'}:00Z`;
  const ms = parseRfc3339(full);
  if (ms !== null && ms >= TIME_MS_MIN && ms < TIME_MS_END) return ms;
  if (ms !== null) {
    throw new TruecountError('invalid_argument', `${name} is out of bounds: ${text}`, {
      hint: `a time is from ${formatTime(TIME_MS_MIN)} on and before ${formatTime(TIME_MS_END)}`,
      context: { parameter: name },
    });
  }
  const plus = / \d\d:\d\d$/.test(text) ? '; in a URL a "+" is written %2B' : '';
  throw new TruecountError('invalid_argument', `${name} is no time: ${JSON.stringify(text)}`, {
    hint: FORMS + plus,
    context: { parameter: name },
  });
}

/**
 * A point in time on a whole minute.
 * @throws TruecountError `invalid_argument`, `invalid_range`
 */
export function parseMinute(name: string, text: string): number {
  return onWhole(name, text, MINUTE_MS, 'minute');
}

/**
 * A range of whole minutes.
 * @throws TruecountError `invalid_argument` where one end is no time, `invalid_range` where the
 * range is empty, not on whole minutes, or longer than `daysMax`
 */
export function parseMinuteRange(from: string, to: string, daysMax = RANGE_DAYS_MAX): TimeRange {
  return bounded(parseMinute('from', from), parseMinute('to', to), daysMax);
}

/** A range of whole hours; errors as for `parseMinuteRange`. */
export function parseHourRange(from: string, to: string): TimeRange {
  return bounded(parseHour('from', from), parseHour('to', to), RANGE_DAYS_MAX);
}

/** A point in time on a whole hour; errors as for `parseMinute`. */
export function parseHour(name: string, text: string): number {
  return onWhole(name, text, HOUR_MS, 'hour');
}

/** `2026-11-21T10:05:00Z`; milliseconds only where there are any. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

function onWhole(name: string, text: string, unitMs: number, unit: string): number {
  const ms = parseTime(name, text);
  if (ms % unitMs === 0) return ms;
  const floor = Math.floor(ms / unitMs) * unitMs;
  throw new TruecountError('invalid_range', `${name} is not on a whole ${unit}: ${text}`, {
    hint: `use ${formatTime(floor)} or ${formatTime(floor + unitMs)}`,
    context: { parameter: name },
  });
}

function bounded(fromMs: number, toMs: number, daysMax: number): TimeRange {
  if (fromMs >= toMs) {
    throw new TruecountError(
      'invalid_range',
      `from (${formatTime(fromMs)}) is not before to (${formatTime(toMs)})`,
      { hint: 'a range is [from, to): to is the first minute that is not in it' },
    );
  }
  if (toMs - fromMs > daysMax * DAY_MS) {
    throw new TruecountError('invalid_range', `the range is longer than ${String(daysMax)} days`, {
      hint: `ask for at most ${String(daysMax)} days at a time and add up the answers`,
    });
  }
  return { fromMs, toMs };
}

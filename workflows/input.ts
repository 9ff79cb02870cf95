import { TruecountError } from '../core/errors.js';
import { formatTime, parseHourRange, parseTime } from '../core/range.js';
import { HOUR_MS } from '../core/time.js';
import type { HourText } from './contract.js';

/**
 * Hours of one replay at most: a month. A run of 744 hours writes about 15 events an hour into its
 * history; it continues as a new run when Temporal suggests it (4,096 events).
 */
export const REPLAY_HOURS_MAX = 744;
/** Hours of one publication at most. */
export const PUBLISH_HOURS_MAX = 1_000;

const SHA256 = /^[0-9a-f]{64}$/;

/**
 * A whole hour in its one form, `2026-11-21T10:00:00Z`; also `2026-11-21T10` and RFC 3339 with any
 * offset are read.
 * @throws TruecountError `invalid_argument` where it is no time, `invalid_range` where it is not on
 * the hour
 */
export function hourText(name: string, value: unknown): HourText {
  if (typeof value !== 'string') {
    const what = isAbsent(value) ? 'missing' : 'no text';
    throw new TruecountError('invalid_argument', `${name} is ${what}`, {
      hint: `an input is JSON, such as {"${name.split('.').at(-1)!}": "2026-11-21T10"}`,
    });
  }
  const ms = parseTime(name, value);
  if (ms % HOUR_MS === 0) return formatTime(ms);
  const floor = Math.floor(ms / HOUR_MS) * HOUR_MS;
  throw new TruecountError('invalid_range', `${name} is not on a whole hour: ${value}`, {
    hint: `use ${formatTime(floor)} or ${formatTime(floor + HOUR_MS)}`,
  });
}

/** Start of an hour in its one form. */
export function hourMsOf(hour: HourText): number {
  return Date.parse(hour);
}

export interface HourRange {
  readonly from: HourText;
  readonly to: HourText;
  readonly hours: readonly HourText[];
}

/**
 * The hours of `[from, to)`, at most `hoursMax`.
 * @throws TruecountError `invalid_argument`, `invalid_range`
 */
export function hourRange(from: unknown, to: unknown, hoursMax: number): HourRange {
  const [first, end] = [hourText('from', from), hourText('to', to)];
  const { fromMs, toMs } = parseHourRange(first, end);
  const count = (toMs - fromMs) / HOUR_MS;
  if (count > hoursMax) {
    throw new TruecountError(
      'invalid_range',
      `the range has ${String(count)} hours, and ${String(hoursMax)} are the most`,
      { hint: 'do it in parts' },
    );
  }
  const hours = Array.from({ length: count }, (_, i) => formatTime(fromMs + i * HOUR_MS));
  return { from: first, to: end, hours };
}

/** What is not given; whoever types JSON may write null for it. */
export function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/**
 * The members of a JSON object. Throws invalid_argument for anything else, and for a member that is not
 * known: `needs_approval` would else be taken for no wish at all.
 * @param example what to write instead, for the hint
 */
export function fieldsOf(
  what: string,
  value: unknown,
  example: string,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TruecountError('invalid_argument', `${what} is no JSON object`, {
      hint: `such as ${example}`,
    });
  }
  const stranger = Object.keys(value).find((name) => !known.includes(name));
  if (stranger !== undefined) {
    const shown = JSON.stringify(stranger.slice(0, 64));
    throw new TruecountError('invalid_argument', `${what} has an unknown member ${shown}`, {
      hint: `it may have ${known.join(', ')}`,
    });
  }
  return value as Readonly<Record<string, unknown>>;
}

/** Yes or no; what is not given is no. Throws invalid_argument. */
export function flag(name: string, value: unknown): boolean {
  if (isAbsent(value)) return false;
  if (typeof value === 'boolean') return value;
  throw new TruecountError('invalid_argument', `${name} is neither true nor false`);
}

/** The hash of a rule set, if one is given. Throws invalid_argument. */
export function ruleSetHash(value: unknown): string | undefined {
  if (isAbsent(value) || value === '') return undefined;
  if (typeof value === 'string' && SHA256.test(value)) return value;
  throw new TruecountError('invalid_argument', 'rules is no hash of a rule set', {
    hint: '64 lower-case hex digits; `truecount hours --json` shows the hash of each hour',
  });
}

/** A whole number within bounds, or the fallback where none is given. Throws invalid_argument. */
export function wholeNumber(
  name: string,
  value: unknown,
  { min, max, fallback }: { min: number; max: number; fallback?: number },
): number {
  if (isAbsent(value) && fallback !== undefined) return fallback;
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number;
  }
  throw new TruecountError(
    'invalid_argument',
    `${name} is no whole number from ${String(min)} to ${String(max)}: ${shown(value)}`,
  );
}

/** Enough of a value for a message: an input may be large. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** One of the given words, or the fallback. Throws invalid_argument. */
export function oneOf<T extends string>(
  name: string,
  value: unknown,
  words: readonly T[],
  fallback: T,
): T {
  if (isAbsent(value)) return fallback;
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw new TruecountError('invalid_argument', `${name} is none of ${words.join(', ')}`);
}

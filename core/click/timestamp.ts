import { DAY_MS, HOUR_MS, MINUTE_MS, daysFromCivil, daysInMonth } from '../time.js';

/** Event times from this instant on are accepted: catches seconds sent as milliseconds. */
export const EVENT_MS_MIN = Date.UTC(2000, 0, 1);
/** Event times below this instant are accepted: catches microseconds sent as milliseconds. */
export const EVENT_MS_END = Date.UTC(2100, 0, 1);

const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/**
 * An RFC 3339 date-time as epoch milliseconds, or null if it is none. A fraction of any length is
 * cut to milliseconds, never rounded. A leap second (`:60`) is refused: event time has none, and
 * guessing its minute would be guessing a count. A time without zone is refused for the same reason.
 */
export function parseRfc3339(text: string): number | null {
  const match = DATE_TIME.exec(text);
  if (match === null) return null;
  const part = (index: number): number => Number(match[index] ?? 0);
  const [year, month, day] = [part(1), part(2), part(3)];
  const [hour, minute, second] = [part(4), part(5), part(6)];
  const [offsetHour, offsetMinute] = [part(9), part(10)];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  if (offsetHour > 23 || offsetMinute > 59) return null;
  const ms = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const local =
    daysFromCivil(year, month, day) * DAY_MS +
    hour * HOUR_MS +
    minute * MINUTE_MS +
    second * 1000 +
    ms;
  const offset = offsetHour * HOUR_MS + offsetMinute * MINUTE_MS;
  return match[8] === '-' ? local + offset : local - offset;
}

/** Milliseconds in a minute and an hour; event time is epoch milliseconds, UTC, everywhere. */
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const MINUTES_PER_HOUR = 60;

/** First millisecond of the event hour that holds `ms`. */
export function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS;
}

/** Minute within its hour, 0..59. */
export function minuteOfHour(ms: number): number {
  return Math.floor((ms - hourOf(ms)) / MINUTE_MS);
}

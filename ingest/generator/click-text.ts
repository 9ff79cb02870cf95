import type { Ad, Dimension } from './population.js';
import { mix32 } from './random.js';

const MINUTE_MS = 60_000;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function hex32(value: number): string {
  return (
    HEX[value >>> 24]! +
    HEX[(value >>> 16) & 0xff]! +
    HEX[(value >>> 8) & 0xff]! +
    HEX[value & 0xff]!
  );
}

/** The id of fresh click `n`: different for every (seed, n) with n below 2^53. */
export function eventIdOf(seed: number, n: number): string {
  const low = (n % 2 ** 32) >>> 0;
  const high = Math.floor(n / 2 ** 32) >>> 0;
  const run =
    hex32(mix32(seed % 2 ** 32)) + hex32(mix32(Math.floor(seed / 2 ** 32) + 1)).slice(0, 4);
  return `${hex32(mix32(low))}-${run}-${high === 0 ? '' : hex32(high)}${hex32(low)}`;
}

/** How the time is written: epoch ms, RFC 3339, with an offset, with microseconds. */
export const TIME_STYLES = 4;

/** Writes event times, without a Date per click: the text of each minute is made once. */
export class TimeText {
  private readonly minutes: string[];
  private readonly shifted: string[];

  constructor(
    private readonly fromMs: number,
    hours: number,
  ) {
    const text = (minute: number): string =>
      new Date(fromMs + minute * MINUTE_MS).toISOString().slice(0, 17);
    this.minutes = Array.from({ length: hours * 60 }, (_, minute) => text(minute));
    this.shifted = Array.from({ length: hours * 60 }, (_, minute) => text(minute + 330));
  }

  /** JSON of the time in the given style; `style` below TIME_STYLES. */
  json(eventMs: number, style: number): string {
    if (style === 0) return String(eventMs);
    const sinceStart = eventMs - this.fromMs;
    const minute = Math.floor(sinceStart / MINUTE_MS);
    const inMinute = sinceStart - minute * MINUTE_MS;
    const seconds = (100_000 + inMinute).toString();
    const tail = `${seconds.slice(1, 3)}.${seconds.slice(3)}`;
    if (style === 2) return `"${this.shifted[minute]!}${tail}+05:30"`;
    return `"${this.minutes[minute]!}${tail}${style === 3 ? '999' : ''}Z"`;
  }
}

/** One click, ready to be written. Reused from line to line. */
export interface Draft {
  eventId: string;
  ad: Ad;
  /** JSON of the time. */
  time: string;
  user: number;
  ip: number;
  /** Index of what occurs, per dimension. */
  readonly occurrences: Uint16Array;
}

/** Ways to write one click; those above the plain one are rare, and equal in meaning. */
export const SHAPES = 7;

const UNKNOWN_FIELDS = '"page":{"ref":"https://example.com/?q=\\"}"},"tags":["a",{"ad_id":"no"}]';
const DECOYS = '"ad_id":"decoy","event_id":"decoy","timestamp":0';

/** The line of a click. Every shape means the same click to a correct JSON reader. */
export function clickLine(draft: Draft, dimensions: readonly Dimension[], shape: number): string {
  const { eventId, ad, time, user, ip } = draft;
  let values = '';
  for (let d = 0; d < dimensions.length; d += 1) {
    const { field, occurrences } = dimensions[d]!;
    const { json } = occurrences[draft.occurrences[d]!]!;
    if (json !== '') values += `,"${field}":${json}`;
  }
  const address = `10.${(ip >>> 16) & 0xff}.${(ip >>> 8) & 0xff}.${ip & 0xff}`;
  const who = `,"user_id":"u${user}","ip":"${address}"`;
  const ids = `"event_id":"${eventId}","ad_id":${ad.json}`;
  switch (shape) {
    case 1: // fields the product knows nothing of, with brackets and quotes inside
      return `{"v":2,${UNKNOWN_FIELDS},${ids},"timestamp":${time}${who}${values},"score":1.5e-3}`;
    case 2: // whitespace
      return (
        `{ "event_id" : "${eventId}" ,\t"ad_id" : ${ad.json}, ` +
        `"timestamp" : ${time} ${who}${values} }`
      );
    case 3: // repeated keys: the last one wins
      return `{${DECOYS},${ids},"timestamp":${time}${who}${values}}`;
    case 4: {
      // escapes that need not be
      const escaped = eventId.replaceAll('-', '\\u002d');
      const start = `{"event_id":"${escaped}","ad\\u005fid":${ad.json}`;
      return `${start},"timestamp":${time}${who}${values}}`;
    }
    case 5: // another order
      return `{"timestamp":${time}${values}${who},"ad_id":${ad.json},"event_id":"${eventId}"}`;
    case 6: // a file or producer that ends lines with CR LF
      return `{${ids},"timestamp":${time}${who}${values}}\r`;
    default:
      return `{${ids},"timestamp":${time}${who}${values}}`;
  }
}

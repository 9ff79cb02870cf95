/**
 * How long one click takes to decode: the fast scanner against the full parser (JSON.parse) on the
 * same bytes. `node dist/bench/decode.bench.js [clicks] [rounds]`; prints ns of CPU time
 * per click, the best and the median of the rounds.
 */
import { ClickDecoder, DECODED } from '../core/click/decode.js';
import { parseClick } from '../core/click/parse.js';
import { createClickView } from '../core/click/view.js';

const CLICKS = Number(process.argv[2] ?? 200_000);
const ROUNDS = Number(process.argv[3] ?? 7);
const FIELDS = ['country', 'device', 'ad_format'];
const BASE_MS = Date.UTC(2026, 10, 21, 6);
const COUNTRIES = ['US', 'IN', 'BR', 'DE', 'GB', 'FR', 'JP', 'MX'];
const DEVICES = ['mobile', 'desktop', 'tablet'];
const FORMATS = ['banner', 'video', 'native', 'interstitial'];

type Timestamp = (ms: number) => string | number;

interface Load {
  readonly bytes: Buffer;
  /** Start of each record; the last entry is the end. */
  readonly starts: Int32Array;
}

function click(i: number, timestamp: Timestamp): string {
  const hash = Math.imul(i, 2_654_435_761) >>> 0;
  return JSON.stringify({
    event_id: hash.toString(16).padStart(16, '0'),
    ad_id: `ad${String(hash % 2000)}`,
    timestamp: timestamp(BASE_MS + (i % 3_600_000)),
    user_id: `u${String(hash % 200_000)}`,
    country: COUNTRIES[hash % COUNTRIES.length],
    device: DEVICES[hash % DEVICES.length],
    ad_format: FORMATS[hash % FORMATS.length],
  });
}

function build(timestamp: Timestamp): Load {
  const records = Array.from({ length: CLICKS }, (_, i) => Buffer.from(click(i, timestamp)));
  const starts = new Int32Array(CLICKS + 1);
  records.forEach((record, i) => (starts[i + 1] = (starts[i] as number) + record.length));
  return { bytes: Buffer.concat(records), starts };
}

function nsPerClick(load: Load, decode: (start: number, end: number) => boolean): number {
  const from = process.cpuUsage();
  for (let i = 0; i < CLICKS; i++) {
    if (!decode(load.starts[i] as number, load.starts[i + 1] as number)) {
      throw new Error(`record ${String(i)} is no click`);
    }
  }
  const { user, system } = process.cpuUsage(from);
  return ((user + system) * 1000) / CLICKS;
}

function report(name: string, load: Load, decode: (start: number, end: number) => boolean): void {
  const times = Array.from({ length: ROUNDS }, () => nsPerClick(load, decode));
  times.sort((a, b) => a - b);
  const best = (times[0] as number).toFixed(0);
  const median = (times[ROUNDS >> 1] as number).toFixed(0);
  console.log(`${name}: best ${best}, median ${median} ns/click`);
}

const TIMESTAMPS: Record<string, Timestamp> = {
  'RFC 3339': (ms) => new Date(ms).toISOString(),
  'epoch ms': (ms) => ms,
};

for (const [form, timestamp] of Object.entries(TIMESTAMPS)) {
  const load = build(timestamp);
  const size = Math.round(load.bytes.length / CLICKS);
  const decoder = new ClickDecoder(FIELDS);
  const view = createClickView(FIELDS.length);
  const appendMs = BASE_MS + 3_600_000;
  report(`scanner, ${form}, ${String(size)} bytes`, load, (start, end) => {
    return decoder.decodeInto(load.bytes, start, end, appendMs, view) === DECODED;
  });
  report(`full parser, ${form}, ${String(size)} bytes`, load, (start, end) => {
    return parseClick(load.bytes.subarray(start, end), appendMs, FIELDS).kind === 'click';
  });
}

import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { readCsv, readNdjson } from '../../ingest/formats/read-items.js';
import type { SourceItem } from '../../ingest/formats/source-item.js';
import { generateClicks, type GeneratedRecord } from '../../ingest/generator/generate.js';
import { readMappingFile } from '../mapping-file.js';
import { UK_IS_GB, sqlTruth } from './sql-truth.js';
import type { Fix } from './sql-truth.js';

/** Cells as `ad|minute ms|filter` → count. */
export type Cells = Map<string, number>;

export function cellKey(adId: string, minuteMs: number, filter: string): string {
  return `${adId}|${String(minuteMs)}|${filter}`;
}

/** The parts of a key; the minute is what stands between the two bars that enclose digits. */
export function parseCellKey(key: string): { ad: string; minuteMs: number; filter: string } {
  const [, ad, minuteMs, filter] = /^(.*)\|(\d{12,14})\|(.*)$/s.exec(key)!;
  return { ad: ad!, minuteMs: Number(minuteMs), filter: filter! };
}

/** What the demo counts, and what it must count to: without any of the code that counts. */
export interface Load {
  readonly description: string;
  /** Records it will give, or about as many: faults are spread over them. */
  readonly records: number;
  /** In the order of the log, but for those of `late`. */
  items(): AsyncIterable<SourceItem>;
  /** The records after them, to be sent when everything is final; may be none. */
  late(): AsyncIterable<SourceItem>;
  /** Which value the first rule set forgot to map; to be asked after `items` has ended. */
  fix(): Promise<Fix>;
  /** The true cells under the first rule set, of `items` alone and with `late`; after each ended. */
  truthBefore(): Promise<Cells>;
  /** The true cells with the fix, after `late` has ended. */
  truthAfter(): Promise<Cells>;
}

/** Lines of a generated load that come late. */
const LATE_LINES = 600;

/** A generated load: the generator keeps its own count. */
export function generatedLoad(clicks: number, seed: number): Load {
  const generated = generateClicks({ clicks, seed, mapUk: false });
  const lines: Iterator<GeneratedRecord, unknown> = generated[Symbol.iterator]();
  const onTime = Math.max(0, clicks - LATE_LINES);
  let line = 0;
  async function* upTo(end: number): AsyncGenerator<SourceItem> {
    while (line < end) {
      const next = lines.next();
      if (next.done === true) return;
      const bytes = Buffer.from(next.value.line);
      yield { kind: 'record', bytes, key: Buffer.from(next.value.key), line: ++line };
      // Lets other work in: the generator itself never waits.
      if (line % 1000 === 0) await Promise.resolve();
    }
  }
  return {
    description: `${clicks.toLocaleString('en')} generated lines, seed ${String(seed)}`,
    records: onTime,
    items: () => upTo(onTime),
    late: () => upTo(clicks),
    fix: () => Promise.resolve(UK_IS_GB),
    truthBefore: () => Promise.resolve(cellsOf(generated)),
    truthAfter: async () => {
      const fixed = generateClicks({ clicks, seed, mapUk: true });
      const all = fixed[Symbol.iterator]();
      for (let n = 1; all.next().done !== true; n++) {
        if (n % 5_000 === 0) await new Promise(setImmediate);
      }
      return cellsOf(fixed);
    },
  };
}

function cellsOf({ truth }: ReturnType<typeof generateClicks>): Cells {
  const cells: Cells = new Map();
  for (const { adId, minuteMs, filter, count } of truth.cells()) {
    cells.set(cellKey(adId, minuteMs, filter), count);
  }
  return cells;
}

export interface FileOptions {
  readonly input: string;
  readonly format: 'csv' | 'ndjson';
  readonly mapping?: string;
}

/** Clicks of a file; their truth is counted by SQL on the file itself, in another engine. */
export function fileLoad({ input, format, mapping }: FileOptions): Load {
  const mapped = mapping === undefined ? undefined : readMappingFile(mapping).mapping;
  let fix: Promise<Fix> | undefined;
  let before: Promise<Cells> | undefined;
  const truthBefore = (): Promise<Cells> => (before ??= sqlTruth(input, format, mapped, null));
  const chooseFix = (): Promise<Fix> => (fix ??= truthBefore().then(fixFor));
  return {
    description: `${input}, counted a second time by SQL in DuckDB`,
    records: countLines(input),
    items() {
      const chunks = createReadStream(input);
      return format === 'csv' ? readCsv(chunks, mapped) : readNdjson(chunks);
    },
    async *late() {
      // All of a file is on time.
    },
    fix: chooseFix,
    truthBefore,
    truthAfter: async () => sqlTruth(input, format, mapped, await chooseFix()),
  };
}

/**
 * `UK` as `GB` where there is a `UK`; else the second most frequent value of a dimension is counted
 * as the most frequent one: it moves as many clicks as one value can.
 */
function fixFor(truth: Cells): Fix {
  const clicks = new Map<string, number>();
  for (const [key, count] of truth) {
    const { filter } = parseCellKey(key);
    clicks.set(filter, (clicks.get(filter) ?? 0) + count);
  }
  if (clicks.has('country:UK')) return UK_IS_GB;
  for (const dimension of ['device', 'format', 'country'] as const) {
    const [to, from] = [...clicks]
      .filter(([filter]) => filter.startsWith(`${dimension}:`))
      .map(([filter, count]) => ({ value: filter.slice(dimension.length + 1), count }))
      .filter(({ value }) => value !== 'unknown' && value !== 'other')
      .sort((a, b) => b.count - a.count);
    if (to !== undefined && from !== undefined) {
      return { dimension, from: from.value, to: to.value };
    }
  }
  return UK_IS_GB;
}

function countLines(file: string): number {
  const buffer = Buffer.alloc(1 << 20);
  const handle = openSync(file, 'r');
  let lines = 0;
  try {
    for (let n = readSync(handle, buffer); n > 0; n = readSync(handle, buffer)) {
      for (let at = buffer.indexOf(10); at >= 0 && at < n; at = buffer.indexOf(10, at + 1)) lines++;
    }
  } finally {
    closeSync(handle);
  }
  return lines;
}

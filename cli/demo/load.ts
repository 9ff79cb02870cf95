import { closeSync, createReadStream, openSync, readFileSync, readSync } from 'node:fs';
import { readCsv } from '../../ingest/formats/csv.js';
import { readNdjson } from '../../ingest/formats/ndjson.js';
import type { SourceItem } from '../../ingest/formats/source-item.js';
import { generateClicks } from '../../ingest/generator/generate.js';
import { parseMapping } from '../../ingest/mapping/mapping.js';
import { sqlTruth } from './sql-truth.js';

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

/** What the demo counts, and what it must count to. */
export interface Load {
  readonly description: string;
  /** Records it will give, or about as many: faults are spread over them. */
  readonly records: number;
  items(): AsyncIterable<SourceItem>;
  /** The true cells, computed without any of the code that counts; after `items` has ended. */
  truth(): Promise<Cells>;
}

/** A generated load: the generator keeps its own count. */
export function generatedLoad(clicks: number, seed: number): Load {
  const generated = generateClicks({ clicks, seed, mapUk: true });
  return {
    description: `${clicks.toLocaleString('en')} generated lines, seed ${String(seed)}`,
    records: clicks,
    async *items() {
      let line = 0;
      for (const record of generated) {
        const bytes = Buffer.from(record.line);
        yield { kind: 'record', bytes, key: Buffer.from(record.key), line: ++line };
        // Lets other work in: the generator itself never waits.
        if (line % 1000 === 0) await Promise.resolve();
      }
    },
    truth() {
      const cells: Cells = new Map();
      for (const { adId, minuteMs, filter, count } of generated.truth.cells()) {
        cells.set(cellKey(adId, minuteMs, filter), count);
      }
      return Promise.resolve(cells);
    },
  };
}

export interface FileOptions {
  readonly input: string;
  readonly format: 'csv' | 'ndjson';
  readonly mapping?: string;
}

/** Clicks of a file; their truth is counted by SQL on the file itself, in another engine. */
export function fileLoad({ input, format, mapping }: FileOptions): Load {
  const mapped =
    mapping === undefined ? undefined : parseMapping(readFileSync(mapping, 'utf8'), mapping);
  return {
    description: `${input}, counted a second time by SQL in DuckDB`,
    records: countLines(input),
    items() {
      const chunks = createReadStream(input);
      return format === 'csv' ? readCsv(chunks, mapped) : readNdjson(chunks);
    },
    truth: () => sqlTruth(input, format, mapped),
  };
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

import { createReadStream, readFileSync } from 'node:fs';
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

/** What the demo counts, and what it must count to. */
export interface Load {
  readonly description: string;
  /** Records it will give, if that is known before. */
  readonly records: number | undefined;
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
    records: undefined,
    items() {
      const chunks = createReadStream(input);
      return format === 'csv' ? readCsv(chunks, mapped) : readNdjson(chunks);
    },
    truth: () => sqlTruth(input, format, mapped),
  };
}

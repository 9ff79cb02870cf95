import { createReadStream, statSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { TruecountError } from '../../core/errors.js';
import { printable } from '../../core/printable.js';
import { readCsv, readNdjson } from '../../ingest/formats/read-items.js';
import type { SourceItem } from '../../ingest/formats/source-item.js';
import { ingestItems } from '../../ingest/ingest.js';
import type { IngestResult } from '../../ingest/ingest.js';
import { ClickProducer } from '../../ingest/producer.js';
import { kafkaClientOptions } from '../../runtime/connections.js';
import { assertKafkaAccepts } from '../../runtime/first-contact.js';
import { createKafka } from '../../runtime/kafka-client.js';
import { readMappingFile } from '../mapping-file.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { Progress, printResult, withExamples } from '../output.js';

const CHUNK_BYTES = 256 * 1024;

interface IngestOptions extends CommonOptions {
  readonly format?: 'ndjson' | 'csv';
  readonly mapping?: string;
  readonly topic?: string;
  readonly compression: 'none' | 'gzip';
}

/** `truecount ingest`: sends the clicks of a file to the log. */
export function register(program: Command): void {
  const ingest = program
    .command('ingest')
    .summary('send the clicks of a file to the log')
    .description(
      'Sends clicks to Kafka, acknowledged by all replicas. A second run of the same file changes ' +
        'no count. How to map columns: docs/how-to/ingest-files.md.',
    )
    .argument('<file>', 'NDJSON or CSV; - is stdin')
    .addOption(
      new Option('--format <name>', 'default: csv for *.csv, else ndjson').choices([
        'ndjson',
        'csv',
      ]),
    )
    .option('--mapping <file>', 'YAML or JSON: which columns of a CSV make a click')
    .option('--topic <name>', 'default: the first of the configured topics')
    .addOption(
      new Option('--compression <codec>', 'of the record batches')
        .choices(['none', 'gzip'])
        .default('none'),
    )
    .action(run);
  withExamples(
    withCommonOptions(ingest),
    'npx truecount generate --clicks 1000 --seed 1 | npx truecount ingest -',
    'npx truecount ingest clicks.csv --mapping examples/talkingdata.mapping.yaml',
  );
}

async function run(file: string, options: IngestOptions): Promise<void> {
  const { config } = configFor(options);
  const topic = options.topic ?? config.topics[0]!;
  const source = openSource(file);
  const items = readItems(file, source.chunks, options);
  await assertKafkaAccepts(config);
  const kafka = createKafka(kafkaClientOptions(config));
  const producer = await ClickProducer.connect(kafka, {
    topic,
    compression: options.compression,
  });
  const startMs = performance.now();
  const progress = new Progress();
  let result: IngestResult;
  try {
    result = await ingestItems(items, producer, (taken) => {
      if (taken % 1024 !== 0) return;
      progress.update(progressText(taken, source.share(), performance.now() - startMs));
    });
  } finally {
    progress.done();
    await producer.close();
  }
  const elapsedMs = performance.now() - startMs;
  const perSecond = Math.round((result.sent / Math.max(elapsedMs, 1)) * 1000);
  const document = {
    file,
    topic,
    ...result,
    elapsed_ms: Math.round(elapsedMs),
    per_second: perSecond,
  };
  printResult(options.json === true, document, () => words(document));
  if (result.sent === 0 && result.rejected > 0) process.exitCode = 1;
}

interface Source {
  readonly chunks: AsyncIterable<Buffer>;
  /** How much of it has been read, 0 to 1; undefined where the size is not known. */
  share(): number | undefined;
}

function openSource(file: string): Source {
  if (file === '-') return { chunks: process.stdin, share: () => undefined };
  const stats = statSync(file, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new TruecountError('not_found', `there is no file ${file}`, {
      hint: 'name a file of clicks, or - for stdin',
    });
  }
  if (stats.isDirectory()) {
    throw new TruecountError('invalid_argument', `${file} is a folder`, {
      hint: 'ingest takes one file: run it for each',
    });
  }
  let readBytes = 0;
  // Opened when it is first read: options are checked before, and nothing is left open then.
  async function* chunks(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
        readBytes += (chunk as Buffer).length;
        yield chunk as Buffer;
      }
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new TruecountError('invalid_argument', `cannot read ${file}: ${why}`, {
        hint: 'check its permissions; ingesting it again counts nothing twice',
        cause,
      });
    }
  }
  const share = (): number | undefined =>
    stats.isFile() && stats.size > 0 ? Math.min(readBytes / stats.size, 1) : undefined;
  return { chunks: chunks(), share };
}

function readItems(
  file: string,
  chunks: AsyncIterable<Buffer>,
  options: IngestOptions,
): AsyncIterable<SourceItem> {
  const format = options.format ?? (file.toLowerCase().endsWith('.csv') ? 'csv' : 'ndjson');
  if (format === 'csv') {
    const mapping = options.mapping;
    return readCsv(chunks, mapping === undefined ? undefined : readMappingFile(mapping).mapping);
  }
  if (options.mapping === undefined) return readNdjson(chunks);
  throw new TruecountError('invalid_argument', '--mapping is for CSV; this would be NDJSON', {
    hint: 'add --format csv; a line of NDJSON is sent as it is',
  });
}

function progressText(taken: number, share: number | undefined, elapsedMs: number): string {
  const perSecond = Math.round((taken / Math.max(elapsedMs, 1)) * 1000);
  const rate = `sent ${taken} clicks, ${perSecond}/s`;
  if (share === undefined || share === 0) return rate;
  const leftS = Math.ceil((elapsedMs * (1 - share)) / share / 1000);
  return `${rate}, ${Math.floor(share * 100)} %, ${leftS} s left`;
}

function words(result: IngestResult & { topic: string; elapsed_ms: number; per_second: number }) {
  const seconds = (result.elapsed_ms / 1000).toFixed(1);
  const listed = result.rejections.map(
    ({ line, reason }) => `  line ${line}: ${printable(reason)}`,
  );
  const more = result.rejected - listed.length;
  return [
    `sent ${result.sent} to ${result.topic} in ${seconds} s (${result.per_second}/s)`,
    `rejected ${result.rejected}`,
    ...listed,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ].join('\n');
}

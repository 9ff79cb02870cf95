import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { TruecountError } from '../../core/errors.js';
import { FORMATS, openRecordReader, type Format } from '../../ingest/formats/record-reader.js';
import type { Mapping } from '../../ingest/mapping/mapping-schema.js';
import { parsePattern, type Pattern } from '../../ingest/tail/names.js';
import { isFolder, whyUnmatched } from '../../ingest/tail/unmatched.js';
import { runToEnd } from '../../runtime/run-to-end.js';
import { runTail } from '../../runtime/tail-service.js';
import { formatFor } from '../format-options.js';
import { readMappingFile } from '../mapping-file.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { withExamples } from '../output.js';

const DAY_MS = 86_400_000;
const MEBIBYTE = 1024 * 1024;

interface TailVerbOptions extends CommonOptions {
  readonly format?: Format;
  readonly mapping?: string;
  readonly source?: string;
  readonly topic?: string;
  readonly state?: string;
  readonly rejects?: string;
  readonly rejectsMib: number;
  readonly pollMs: number;
  readonly graceMs: number;
  readonly forgetDays: number;
  readonly metricsPort?: number;
  readonly metricsHost?: string;
}

/** `truecount tail`: follows logs for ever. */
export function register(program: Command): void {
  const tail = program
    .command('tail')
    .summary('follow the logs of an ad server and send their clicks')
    .description(
      'Follows files for ever, across rotation and restarts, and sends their clicks to Kafka: none ' +
        'lost, none counted twice. Logs are JSON lines on stderr. What it can and cannot do: ' +
        'docs/how-to/tail-logs.md.',
    )
    .argument('<files...>', 'files, folders, and globs in quotes; a file with its rotated names')
    .addOption(
      new Option('--format <name>', 'default: by the name, or what the mapping says').choices(
        FORMATS,
      ),
    )
    .option('--mapping <file>', 'YAML or JSON: which columns or words of a log make a click')
    .option('--source <name>', 'part of the ids of lines without ids (default: host name)')
    .option('--topic <name>', 'default: the first of the configured topics')
    .option('--state <file>', 'positions (default: tail/state.json under home)')
    .option('--rejects <file>', 'lines that are no clicks (default: STATE.rejects.ndjson)')
    .option('--rejects-mib <n>', 'at this size a new file of rejects begins', atLeast(1), 16)
    .option('--poll-ms <n>', 'time between two looks at the files', atLeast(10), 500)
    .option('--grace-ms <n>', 'quiet before a rotated file counts as ended', atLeast(0), 30_000)
    .option('--forget-days <n>', 'how long a deleted file is remembered', atLeast(1), 7)
    .option('--metrics-port <n>', 'port of /metrics and /health', atLeast(0))
    .option('--metrics-host <address>', 'address of them')
    .action(run);
  withExamples(
    withCommonOptions(tail),
    'npx truecount tail /var/log/ads/clicks.ndjson',
    'npx truecount tail /var/log/nginx/access.log --format combined-log --mapping examples/apache.mapping.yaml',
    "npx truecount tail '/var/log/ads/clicks-*.csv*' --mapping examples/talkingdata.mapping.yaml",
  );
}

async function run(files: readonly string[], options: TailVerbOptions): Promise<void> {
  const { config } = configFor(options, {
    'metrics.port': options.metricsPort,
    'metrics.host': options.metricsHost,
  });
  const mapping =
    options.mapping === undefined ? undefined : readMappingFile(options.mapping).mapping;
  const formatOf = (path: string): Format => formatFor(path, options.format, mapping);
  const patterns = files.map(patternOf);
  checkFormats(files, options.format, mapping);
  const stateFile = resolve(options.state ?? join(config.home, 'tail', 'state.json'));
  const settings = {
    patterns,
    formatOf,
    format: options.format ?? (mapping?.log === undefined ? 'by name' : 'log'),
    mapping,
    source: options.source ?? hostname(),
    topic: options.topic ?? config.topics[0]!,
    stateFile,
    rejectsFile: resolve(options.rejects ?? `${stateFile}.rejects.ndjson`),
    rejectsBytesMax: options.rejectsMib * MEBIBYTE,
    pollMs: options.pollMs,
    graceMs: options.graceMs,
    forgetMs: options.forgetDays * DAY_MS,
  };
  const code = await runToEnd('tail', config, async (log) => {
    for (const [i, pattern] of patterns.entries()) {
      const why = whyUnmatched(pattern);
      if (why !== undefined) log.warn({ argument: files[i] }, why);
    }
    return runTail(settings, config, log);
  });
  // Attempts to reach a Kafka that is away would keep the process.
  process.exit(code);
}

function patternOf(file: string): Pattern {
  try {
    return parsePattern(file, process.cwd(), existsSync);
  } catch (error) {
    throw new TruecountError('invalid_argument', (error as Error).message, {
      hint: "name the folders one by one, or let the shell do it: '/var/log/a/*.log' /var/log/b",
    });
  }
}

/**
 * What can be seen before anything is read. What is in a folder is seen file by file; a file that
 * does not fit is set aside then.
 * @throws TruecountError `invalid_mapping`, `invalid_argument`
 */
export function checkFormats(
  files: readonly string[],
  asked: Format | undefined,
  mapping: Mapping | undefined,
): void {
  if (asked !== undefined) openRecordReader({ format: asked, mapping });
  for (const file of files) {
    if (isFolder(file) || file.endsWith('/')) continue;
    // The ending of `clicks-*.csv*` is to be seen.
    const name = file.replaceAll('*', '');
    openRecordReader({ format: formatFor(name, asked, mapping), mapping });
  }
}

function atLeast(min: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,12}$/.test(text) || Number(text) < min) {
      throw new InvalidArgumentError(`expected a whole number, ${String(min)} or more.`);
    }
    return Number(text);
  };
}
